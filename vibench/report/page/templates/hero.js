"use strict";
// The clip at the top of an overview: the two best methods and the truth beside each other, playing, zoomed to the hole.
for (const root of document.querySelectorAll("[data-hero]")) {
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const media = JSON.parse(part("facts").textContent), video = part("video"), canvases = [...root.querySelectorAll("canvas")];
  const tiles = cutTiles(media, video), whole = { width: media.width, height: media.height, at: () => [0, 0] };
  let frame = 0, asked = !matchMedia("(prefers-reduced-motion: reduce)").matches;

  function draw() {
    const shown = part("zoom").checked ? tiles.around : whole, [left, top] = shown.at(frame);
    for (const canvas of canvases) {
      if (canvas.width !== shown.width || canvas.height !== shown.height) [canvas.width, canvas.height] = [shown.width, shown.height];
      const context = canvas.getContext("2d");
      context.setTransform(1, 0, 0, 1, -left, -top);
      tiles.draw(context, Number(canvas.dataset.source), frame);
      if (part("outline").checked) tiles.outline(context, frame, 0.75);
    }
    part("now").value = `${frame + 1} / ${media.frames}`;
  }

  function follow(_, facts) {
    frame = Math.max(0, Math.min(media.frames - 1, Math.round(facts.mediaTime * media.rate)));
    tiles.take();
    draw();
    video.requestVideoFrameCallback(follow);
  }

  function setPlaying(on) {
    part("play").setAttribute("aria-pressed", String(on));
    part("play").textContent = on ? "Pause" : "Play";
    if (on) video.play().catch(() => { if (video.paused) setPlaying(false); });
    else video.pause();
  }

  part("play").addEventListener("click", () => { asked = video.paused; setPlaying(asked); });
  part("zoom").addEventListener("change", draw);
  part("outline").addEventListener("change", draw);
  video.requestVideoFrameCallback(follow);
  video.addEventListener("loadeddata", () => {
    root.hidden = false;
    // Out of sight it rests.
    new IntersectionObserver(([seen]) => setPlaying(asked && seen.isIntersecting)).observe(root);
  }, { once: true });
  // Sent without its folder, a page has no video: then it begins with its numbers.
  video.src = video.dataset.src;
}
