"use strict";
// Pictures cut out of a case's video. One file holds every picture of a frame as tiles, so nothing can drift.

/** Of a window around the hole: how much wider and higher it is than the largest hole, and how small it may be. */
const WINDOW = { margin: 1.5, leastPx: 48, widest: 16 / 9, highest: 4 / 3, calmFrames: 6 };

/** Cut pictures of `media` out of `video`: `take` copies what the video shows now, and the others draw from that copy. */
function cutTiles(media, video) {
  // All is cut from one copy: a playing video may move on between two cuts.
  const film = new OffscreenCanvas(1, 1);
  const corner = (grid, tile) => [(tile % grid[0]) * grid[1], Math.floor(tile / grid[0]) * grid[2]];

  function take() {
    if (film.width !== video.videoWidth) [film.width, film.height] = [video.videoWidth, video.videoHeight];
    film.getContext("2d").drawImage(video, 0, 0);
  }

  /** Draw a source's picture of a frame at the origin of `context`, at its own size. */
  function draw(context, index, frame) {
    const source = media.sources[index], block = media.block;
    const [baseX, baseY] = corner(media.grid, source.patch ? 0 : source.tile);
    context.drawImage(film, baseX, baseY, media.width, media.height, 0, 0, media.width, media.height);
    if (source.patch) {
      const [x, y] = corner(media.grid, source.tile);
      for (const [row, start, end] of media.runs.values[media.runs.at[frame]]) {
        const width = Math.min(end * block, media.width) - start * block;
        const height = Math.min(row * block + block, media.height) - row * block;
        context.drawImage(film, x + start * block, y + row * block, width, height, start * block, row * block, width, height);
      }
    }
    if (source.kind === "input") fillHole(context, frame);
  }

  const contours = (frame) => media.outlines.values[media.outlines.at[frame]];

  function holePath(frame) {
    const path = new Path2D();
    for (const points of contours(frame)) {
      for (let i = 0; i < points.length; i += 2) path[i ? "lineTo" : "moveTo"](points[i] + 0.5, points[i + 1] + 0.5);
      path.closePath();
    }
    return path;
  }

  function fillHole(context, frame) {
    const path = holePath(frame);
    context.fillStyle = context.strokeStyle = "#000";
    context.lineWidth = 1;
    context.fill(path, "evenodd");
    context.stroke(path);
  }

  function outline(context, frame, width = 1) {
    context.lineWidth = width;
    context.strokeStyle = "#ffb000";
    context.stroke(holePath(frame));
  }

  return { take, draw, outline, corner, around: windowsAround(media, contours) };
}

/** A window that goes with the hole: one size for all frames, and a function from a frame to its upper left corner. */
function windowsAround(media, contours) {
  const boxes = media.outlines.at.map((_, frame) => boxOf(contours(frame)));
  const known = boxes.filter(Boolean);
  if (!known.length) return { width: media.width, height: media.height, at: () => [0, 0] };
  const size = (low, high) => Math.max(WINDOW.leastPx, WINDOW.margin * Math.max(...known.map((box) => box[high] - box[low] + 1)));
  let [width, height] = [size(0, 2), size(1, 3)];
  width = Math.round(Math.min(media.width, Math.max(width, height * WINDOW.highest)));
  height = Math.round(Math.min(media.height, Math.max(height, width / WINDOW.widest)));
  // A frame without a hole looks where its neighbour does; the mean over a few frames keeps a window calm.
  let latest = known[0];
  const middles = boxes.map((box) => { latest = box || latest; return [(latest[0] + latest[2] + 1) / 2, (latest[1] + latest[3] + 1) / 2]; });
  const corners = middles.map((_, frame) => {
    const near = middles.slice(Math.max(0, frame - WINDOW.calmFrames), frame + WINDOW.calmFrames + 1);
    return [[0, width, media.width], [1, height, media.height]].map(([axis, span, whole]) => {
      const middle = near.reduce((sum, point) => sum + point[axis], 0) / near.length;
      return Math.round(Math.max(0, Math.min(whole - span, middle - span / 2)));
    });
  });
  return { width, height, at: (frame) => corners[frame] };
}

/** [left, top, right, bottom] in pixels of all contours together; null where there is none. */
function boxOf(contours) {
  const points = contours.flat(), xs = points.filter((_, i) => i % 2 === 0), ys = points.filter((_, i) => i % 2 === 1);
  return points.length ? [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] : null;
}
