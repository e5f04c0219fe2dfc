"use strict";
// The case page's player. One video file holds every picture of a frame as tiles, so nothing can drift; canvases cut them out.
const data = JSON.parse(document.getElementById("player-data").textContent);
const root = document.querySelector("[data-player]");
if (root && data.media) startPlayer(root, data.media);

function startPlayer(root, media) {
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const video = part("video"), turned = part("slices-video");
  const state = { frame: 0, row: Math.floor(media.rows[0] + (media.rows[1] - media.rows[0]) / 2), view: "side",
    a: 0, b: media.sources.length - 1, outline: true, loop: true, speed: 1, gain: 4, wipe: 0.5, curve: null };
  const methods = media.sources.map((source, index) => index);
  state.a = media.sources.findIndex((source) => source.kind === "method");
  if (state.a < 0) state.a = 0;

  // --- drawing -------------------------------------------------------------------------------------------------
  const corner = (grid, tile) => [(tile % grid[0]) * grid[1], Math.floor(tile / grid[0]) * grid[2]];

  function drawTile(context, index, frame) {
    const source = media.sources[index], block = media.block;
    const [baseX, baseY] = corner(media.grid, source.patch ? 0 : source.tile);
    context.drawImage(video, baseX, baseY, media.width, media.height, 0, 0, media.width, media.height);
    if (source.patch) {
      const [x, y] = corner(media.grid, source.tile);
      for (const [row, start, end] of media.runs.values[media.runs.at[frame]]) {
        const width = Math.min(end * block, media.width) - start * block;
        const height = Math.min(row * block + block, media.height) - row * block;
        context.drawImage(video, x + start * block, y + row * block, width, height, start * block, row * block, width, height);
      }
    }
    if (source.kind === "input") fillHole(context, frame);
  }

  function holePath(frame) {
    const path = new Path2D();
    for (const points of media.outlines.values[media.outlines.at[frame]]) {
      for (let i = 0; i < points.length; i += 2) path[i ? "lineTo" : "moveTo"](points[i] + 0.5, points[i + 1] + 0.5);
      path.closePath();
    }
    return path;
  }

  function fillHole(context, frame) {
    const path = holePath(frame);
    context.fillStyle = context.strokeStyle = "#000";
    context.fill(path, "evenodd");
    context.stroke(path);
  }

  function drawOutline(context, frame) {
    if (!state.outline) return;
    context.lineWidth = 1;
    context.strokeStyle = "#ffb000";
    context.stroke(holePath(frame));
  }

  const views = {
    side(canvas, index) {
      const context = canvas.getContext("2d");
      drawTile(context, index, state.frame);
      drawOutline(context, state.frame);
    },
    wipe(canvas) {
      const context = canvas.getContext("2d"), x = Math.round(state.wipe * media.width);
      drawTile(context, state.a, state.frame);
      context.save();
      context.beginPath();
      context.rect(x, 0, media.width - x, media.height);
      context.clip();
      drawTile(context, state.b, state.frame);
      context.restore();
      drawOutline(context, state.frame);
      context.fillStyle = "#ffb000";
      context.fillRect(x - 0.5, 0, 1, media.height);
    },
    difference(canvas) {
      const context = canvas.getContext("2d");
      drawTile(context, state.a, state.frame);
      const other = new OffscreenCanvas(media.width, media.height);
      drawTile(other.getContext("2d"), state.b, state.frame);
      context.globalCompositeOperation = "difference";
      context.drawImage(other, 0, 0);
      context.globalCompositeOperation = "source-over";
      // Doubling by adding the picture to itself: pixels of a file:// video may not be read, but may be added.
      for (let gain = 1; gain < state.gain; gain *= 2) {
        context.globalCompositeOperation = "lighter";
        context.drawImage(canvas, 0, 0);
        context.globalCompositeOperation = "source-over";
      }
      drawOutline(context, state.frame);
    },
    flicker(canvas) {
      const context = canvas.getContext("2d");
      drawTile(context, flickerSide ? state.b : state.a, state.frame);
      drawOutline(context, state.frame);
    },
  };
  let flickerSide = false, flickerTimer = null;

  function draw() {
    for (const canvas of part("stage").querySelectorAll("canvas")) views[state.view](canvas, Number(canvas.dataset.source));
    part("position").value = state.frame;
    part("now").value = `${state.frame + 1} / ${media.frames}`;
    drawHead();
    drawTimeLines();
  }

  // --- time ----------------------------------------------------------------------------------------------------
  let wanted = null, seeking = false;

  /** Show a frame exactly: the middle of its time, so that rounding never lands on a neighbour. */
  function seek(frame) {
    wanted = Math.max(0, Math.min(media.frames - 1, frame));
    if (seeking) return;
    seeking = true;
    video.currentTime = (wanted + 0.5) / media.rate;
  }
  video.addEventListener("seeked", () => {
    seeking = false;
    const shown = Math.min(media.frames - 1, Math.floor(video.currentTime * media.rate));
    if (shown !== wanted) return seek(wanted);
    state.frame = shown;
    draw();
    if (!playing()) remember();
  });

  const playing = () => part("play").getAttribute("aria-pressed") === "true";
  let due = 0;

  /** Plays by seeking from frame to frame: every frame is shown once, none is skipped where the machine is slow. */
  function tick(time) {
    if (!playing()) return;
    if (!seeking && time >= due) {
      due = time + 1000 / (media.rate * state.speed);
      if (state.frame + 1 < media.frames) seek(state.frame + 1);
      else if (state.loop) seek(0);
      else setPlaying(false);
    }
    requestAnimationFrame(tick);
  }

  function setPlaying(on) {
    part("play").setAttribute("aria-pressed", String(on));
    part("play").textContent = on ? "Pause" : "Play";
    if (on && state.frame === media.frames - 1) seek(0);
    if (on) requestAnimationFrame(tick);
    else remember();
  }

  // --- slices through time -------------------------------------------------------------------------------------
  function drawSlices() {
    const line = media.slice_runs[Math.floor(state.row / media.block)] || [];
    for (const canvas of part("slices").querySelectorAll("canvas")) {
      const source = media.sources[Number(canvas.dataset.source)], context = canvas.getContext("2d");
      const [baseX, baseY] = corner(media.slice_grid, source.patch ? 0 : source.tile);
      context.drawImage(turned, baseX, baseY, media.width, media.frames, 0, 0, media.width, media.frames);
      const [x, y] = corner(media.slice_grid, source.tile);
      if (source.patch) for (const [start, end] of line) {
        const from = start * media.block, width = Math.min(end * media.block, media.width) - from;
        context.drawImage(turned, x + from, y, width, media.frames, from, 0, width, media.frames);
      }
    }
    drawTimeLines();
  }
  turned.addEventListener("seeked", drawSlices);

  function drawTimeLines() {
    for (const line of part("slices").querySelectorAll("[data-line]")) line.style.top = `${100 * (state.frame + 0.5) / media.frames}%`;
  }

  function setRow(row) {
    state.row = Math.max(media.rows[0], Math.min(media.rows[1] - 1, row));
    part("row").value = state.row;
    part("row-now").value = `row ${state.row}`;
    turned.currentTime = (state.row - media.rows[0] + 0.5) / 25;
    remember();
  }

  // --- curves --------------------------------------------------------------------------------------------------
  const box = { left: 58, right: 8, top: 10, bottom: 22, width: 900, height: 220 };
  let head = null;

  function svg(name, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function drawCurves() {
    const chart = part("chart"), curve = data.curves[state.curve];
    chart.replaceChildren();
    if (!curve) return;
    const known = Object.values(curve.series).flat().filter((value) => value !== null);
    let [low, high] = [Math.min(...known), Math.max(...known)];
    if (low === high) [low, high] = [low - 1, high + 1];
    const length = Math.max(...Object.values(curve.series).map((values) => values.length));
    const x = (frame) => box.left + (frame + 0.5) / length * (box.width - box.left - box.right);
    const y = (value) => box.top + (high - value) / (high - low) * (box.height - box.top - box.bottom);
    for (const value of [low, (low + high) / 2, high]) {
      chart.append(svg("line", { x1: box.left, x2: box.width - box.right, y1: y(value), y2: y(value), stroke: "currentColor", "stroke-opacity": 0.15 }));
      chart.append(svg("text", { x: box.left - 6, y: y(value) + 4, "text-anchor": "end" }, Number(value.toPrecision(3))));
    }
    chart.append(svg("text", { x: box.left, y: box.height - 6 }, "frame 1"));
    chart.append(svg("text", { x: box.width - box.right, y: box.height - 6, "text-anchor": "end" }, `frame ${length}`));
    for (const [method, values] of Object.entries(curve.series)) {
      let path = "", pen = "M";
      values.forEach((value, frame) => {
        if (value === null) { pen = "M"; return; }
        path += `${pen}${x(frame).toFixed(1)} ${y(value).toFixed(1)}`;
        pen = "L";
      });
      const line = svg("path", { d: path, fill: "none", stroke: data.colours[method] || "currentColor", "stroke-width": 1.6 });
      if (method === data.floor) line.setAttribute("stroke-dasharray", "4 3");
      line.append(svg("title", {}, method));
      chart.append(line);
    }
    head = svg("line", { y1: box.top, y2: box.height - box.bottom, stroke: "currentColor", "stroke-width": 1 });
    chart.append(head);
    chart.onclick = (event) => {
      const place = event.offsetX / chart.clientWidth * box.width;
      seek(Math.floor((place - box.left) / (box.width - box.left - box.right) * length));
    };
    drawHead();
  }

  function drawHead() {
    if (!head) return;
    const values = Object.values(data.curves[state.curve].series);
    const length = Math.max(...values.map((series) => series.length));
    const x = box.left + (Math.min(state.frame, length - 1) + 0.5) / length * (box.width - box.left - box.right);
    head.setAttribute("x1", x);
    head.setAttribute("x2", x);
  }

  // --- views ---------------------------------------------------------------------------------------------------
  function canvasFor(caption, source, height) {
    const figure = document.createElement("figure"), canvas = document.createElement("canvas"), text = document.createElement("figcaption");
    canvas.width = media.width;
    canvas.height = height;
    canvas.dataset.source = source;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", caption);
    text.textContent = caption;
    figure.append(canvas, text);
    return figure;
  }

  function setView(view) {
    state.view = views[view] ? view : "side";
    part("view").value = state.view;
    part("stage").classList.toggle("one", state.view !== "side");
    for (const control of root.querySelectorAll("[data-for]")) control.hidden = !control.dataset.for.split(" ").includes(state.view);
    const [a, b] = [media.sources[state.a].label, media.sources[state.b].label];
    const captions = { wipe: `${a} (left) and ${b} (right); drag in the picture`,
      difference: `|${a} − ${b}| times ${state.gain}: white is a difference of ${Math.round(255 / state.gain)} grey levels or more`,
      flicker: `${a} and ${b} in turn, twice a second` };
    part("stage").replaceChildren(...(state.view === "side"
      ? methods.map((index) => canvasFor(media.sources[index].label, index, media.height))
      : [canvasFor(captions[state.view], 0, media.height)]));
    clearInterval(flickerTimer);
    if (state.view === "flicker") flickerTimer = setInterval(() => { flickerSide = !flickerSide; draw(); }, 500);
    draw();
    remember();
  }

  part("stage").addEventListener("pointermove", (event) => {
    if (state.view !== "wipe" || !(event.buttons & 1) || event.target.tagName !== "CANVAS") return;
    state.wipe = Math.max(0, Math.min(1, event.offsetX / event.target.clientWidth));
    draw();
  });

  // --- the link keeps the place --------------------------------------------------------------------------------
  const kept = ["frame", "row", "view", "a", "b", "gain", "curve"];
  function remember() {
    const link = new URLSearchParams(kept.map((key) => [key, state[key]]));
    if (location.hash.slice(1) !== link.toString()) location.replace(`#${link}`);
    for (const neighbour of document.querySelectorAll("[data-neighbour]")) neighbour.hash = new URLSearchParams({ view: state.view, a: state.a, b: state.b });
  }
  function recall() {
    const link = new URLSearchParams(location.hash.slice(1));
    for (const key of ["frame", "row", "a", "b", "gain"]) {
      const value = Number.parseInt(link.get(key), 10);
      if (Number.isInteger(value) && value >= 0) state[key] = value;
    }
    for (const side of ["a", "b"]) state[side] = Math.min(state[side], media.sources.length - 1);
    if (![1, 2, 4, 8, 16].includes(state.gain)) state.gain = 4;
    if (data.curves[link.get("curve")]) state.curve = link.get("curve");
    return link.get("view") || "side";
  }

  // --- controls ------------------------------------------------------------------------------------------------
  const on = (name, event, act) => part(name).addEventListener(event, act);
  for (const side of ["a", "b"]) {
    part(side).replaceChildren(...media.sources.map((source, index) => new Option(source.label, index)));
    on(side, "change", () => { state[side] = Number(part(side).value); setView(state.view); });
  }
  part("position").max = media.frames - 1;
  [part("row").min, part("row").max] = [media.rows[0], media.rows[1] - 1];
  on("play", "click", () => setPlaying(!playing()));
  on("back", "click", () => { setPlaying(false); seek(state.frame - 1); });
  on("on", "click", () => { setPlaying(false); seek(state.frame + 1); });
  on("position", "input", () => seek(Number(part("position").value)));
  on("speed", "change", () => { state.speed = Number(part("speed").value); });
  on("loop", "change", () => { state.loop = part("loop").checked; });
  on("outline", "change", () => { state.outline = part("outline").checked; draw(); });
  on("view", "change", () => setView(part("view").value));
  on("gain", "change", () => { state.gain = Number(part("gain").value); setView(state.view); });
  on("row", "input", () => setRow(Number(part("row").value)));
  on("curve", "change", () => { state.curve = part("curve").value; drawCurves(); remember(); });

  const keys = {
    " ": () => setPlaying(!playing()), ArrowLeft: () => { setPlaying(false); seek(state.frame - 1); },
    ArrowRight: () => { setPlaying(false); seek(state.frame + 1); }, Home: () => seek(0), End: () => seek(media.frames - 1),
    ArrowUp: () => setRow(state.row - 1), ArrowDown: () => setRow(state.row + 1),
    o: () => part("outline").click(), l: () => part("loop").click(),
    1: () => setView("side"), 2: () => setView("wipe"), 3: () => setView("difference"), 4: () => setView("flicker"),
    p: () => document.querySelector('[rel="prev"]')?.click(), n: () => document.querySelector('[rel="next"]')?.click(),
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("select, input, textarea") || (event.key === " " && event.target.matches("button, a"));
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });

  // --- begin ---------------------------------------------------------------------------------------------------
  for (const index of methods) {
    if (media.sources[index].kind === "input" && media.sources.some((source, other) => other !== index && source.tile === 0)) continue;
    const figure = canvasFor(media.sources[index].label, index, media.frames);
    const frame = document.createElement("div"), line = document.createElement("div");
    frame.className = "through";
    line.dataset.line = "";
    frame.append(figure.firstChild, line);
    figure.prepend(frame);
    part("slices").append(figure);
  }
  for (const [key, curve] of Object.entries(data.curves)) {
    state.curve = state.curve || key;
    part("curve").append(new Option(curve.name, key));
  }
  const view = recall();
  for (const name of ["a", "b", "gain"]) part(name).value = state[name];
  part("curve").value = state.curve;
  root.hidden = false;
  const ready = (element, act) => (element.readyState >= 2 ? act() : element.addEventListener("loadeddata", act, { once: true }));
  ready(video, () => { setView(view); seek(state.frame); });
  ready(turned, () => setRow(state.row));
  drawCurves();
}
