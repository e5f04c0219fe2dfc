"use strict";
// The case page's player. One video file holds every picture of a frame as tiles, so nothing can drift; canvases cut them out.
const LOUPE = 4, PATIENCE_MS = 300;
const data = JSON.parse(document.getElementById("player-data").textContent);
const root = document.querySelector("[data-player]");
if (root && data.media) startPlayer(root, data.media);

function startPlayer(root, media) {
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const video = part("video"), turned = part("slices-video"), last = media.frames - 1;
  const within = (value, low, high) => Math.max(low, Math.min(high, value));
  const state = { frame: 0, row: Math.floor((media.rows[0] + media.rows[1]) / 2), view: "side", wipe: 50, gain: 4,
    a: Math.max(0, media.sources.findIndex((source) => source.kind === "method")), b: media.sources.length - 1,
    outline: true, loop: true, zoom: 0, only: 0, loupe: false, speed: 1, curve: Object.keys(data.curves)[0] || null };

  // --- drawing -------------------------------------------------------------------------------------------------
  const tiles = cutTiles(media, video), corner = tiles.corner, whole = { width: media.width, height: media.height, at: () => [0, 0] };

  function take(frame) {
    state.frame = within(frame, 0, last);
    tiles.take();
    draw();
  }

  const drawTile = (context, index) => tiles.draw(context, index, state.frame);

  /** The part of a frame that is shown: all of it, or a window that goes with the hole. */
  const shownPart = () => (state.zoom ? tiles.around : whole);

  const views = {
    side(context, index) {
      drawTile(context, index);
    },
    wipe(context) {
      const shown = shownPart(), x = shown.at(state.frame)[0] + Math.round(state.wipe / 100 * shown.width);
      drawTile(context, state.a);
      context.save();
      context.beginPath();
      context.rect(x, 0, media.width - x, media.height);
      context.clip();
      drawTile(context, state.b);
      context.restore();
      context.fillStyle = "#ffb000";
      context.fillRect(x - 0.5, 0, 1, media.height);
    },
    difference(context) {
      drawTile(context, state.a);
      const other = new OffscreenCanvas(media.width, media.height);
      drawTile(other.getContext("2d"), state.b);
      context.globalCompositeOperation = "difference";
      context.drawImage(other, 0, 0);
      // Doubling by adding the picture to itself: pixels of a file:// video may not be read, but may be added.
      context.globalCompositeOperation = "lighter";
      context.save();
      context.resetTransform();
      for (let gain = 1; gain < state.gain; gain *= 2) context.drawImage(context.canvas, 0, 0);
      context.restore();
      context.globalCompositeOperation = "source-over";
    },
    flicker(context) {
      drawTile(context, flickerSide ? state.b : state.a);
    },
  };

  function draw() {
    const [left, top] = shownPart().at(state.frame);
    for (const canvas of part("stage").querySelectorAll("canvas")) {
      const context = canvas.getContext("2d");
      context.setTransform(1, 0, 0, 1, -left, -top);
      views[state.view](context, Number(canvas.dataset.source));
      if (state.outline) tiles.outline(context, state.frame, state.zoom ? 0.75 : 1);
      context.resetTransform();
      if (state.loupe && pointer) drawLoupe(context);
    }
    part("position").value = state.frame;
    part("now").value = `${state.frame + 1} / ${media.frames}`;
    for (const line of part("slices").querySelectorAll("[data-line]")) line.style.top = `${100 * (state.frame + 0.5) / media.frames}%`;
    followCurve(state.frame);
  }

  // --- loupe ---------------------------------------------------------------------------------------------------
  /** Where the pointer is in a picture, as shares of its width and height; null where it is in none. */
  let pointer = null;

  /** Enlarge what lies under the pointer in every picture at the same place, each of its pixels as a square. */
  function drawLoupe(context) {
    const { width, height } = context.canvas, x = pointer.x * width, y = pointer.y * height;
    const radius = Math.min(width, height) / 4, from = radius / LOUPE;
    context.save();
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.clip();
    context.imageSmoothingEnabled = false;
    context.drawImage(context.canvas, x - from, y - from, 2 * from, 2 * from, x - radius, y - radius, 2 * radius, 2 * radius);
    context.strokeStyle = "#ffb000";
    context.lineWidth = 2;
    context.stroke();
    context.restore();
  }

  // --- time ----------------------------------------------------------------------------------------------------
  let wanted = null, seeking = false, presented = null, share = 0.4, patience = null;
  const playing = () => part("play").getAttribute("aria-pressed") === "true";

  /** Show a frame exactly: well inside its time, so that rounding never lands on a neighbour; never twice at one time, which
      a browser may take for no seek at all. */
  function seek(frame) {
    wanted = within(frame, 0, last);
    if (seeking && !playing()) return;
    seeking = true;
    presented = null;
    share = 1 - share;
    video.currentTime = (wanted + share) / media.rate;
  }
  video.addEventListener("seeked", () => {
    seeking = false;
    if (playing()) return;
    if (Math.min(last, Math.floor(video.currentTime * media.rate)) !== wanted) return seek(wanted);
    arrive();
    clearTimeout(patience);
    patience = setTimeout(insist, PATIENCE_MS);
  });

  /** A busy browser may lose its word of a picture that it shows; then the frame is asked for again. */
  function insist() {
    if (seeking || playing() || presented === wanted) return;
    if (document.hidden) patience = setTimeout(insist, PATIENCE_MS);
    else seek(wanted);
  }

  /** A seek has ended when both have come, in any order: the time, and the picture of it. Before, the old one is drawn. */
  function arrive() {
    if (seeking || presented !== wanted) return;
    take(presented);
    remember();
  }

  /** The browser says which frame it shows; all pictures are cut from that one. */
  function follow(_, facts) {
    presented = Math.min(last, Math.round(facts.mediaTime * media.rate));
    if (playing()) take(presented);
    else arrive();
    video.requestVideoFrameCallback(follow);
  }

  function setPlaying(on) {
    part("play").setAttribute("aria-pressed", String(on));
    part("play").textContent = on ? "Pause" : "Play";
    if (!on) {
      video.pause();
      return seek(state.frame);
    }
    if (state.frame === last) video.currentTime = 0;
    // Refused where it was paused again at once, and where a browser plays nothing at all: then it is paused.
    return video.play().catch(() => { if (video.paused) setPlaying(false); });
  }
  video.addEventListener("ended", () => { state.frame = last; setPlaying(false); });

  function step(frames) {
    if (playing()) setPlaying(false);
    seek((wanted ?? state.frame) + frames);
  }

  // --- slices through time -------------------------------------------------------------------------------------
  turned.addEventListener("seeked", () => {
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
    part("row-now").value = `row ${state.row}`;
  });

  function setRow(row) {
    state.row = within(row, media.rows[0], media.rows[1] - 1);
    part("row").value = state.row;
    turned.currentTime = (state.row - media.rows[0] + 0.5) / 25;
    remember();
  }

  // --- curves --------------------------------------------------------------------------------------------------
  let followCurve = () => {};

  function setCurve(key) {
    state.curve = key;
    if (!key) return;
    part("curve").value = key;
    followCurve = drawCurves(part("chart"), part("legend"), data.curves[key], { colours: data.colours, floor: data.floor, seek });
    followCurve(state.frame);
  }

  // --- views ---------------------------------------------------------------------------------------------------
  let flickerSide = false, flickerTimer = null;
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  function figureFor(caption, source, { width, height }) {
    const figure = document.createElement("figure"), canvas = document.createElement("canvas"), text = document.createElement("figcaption");
    canvas.width = width;
    canvas.height = height;
    canvas.dataset.source = source;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", caption);
    text.textContent = caption;
    figure.append(canvas, text);
    return figure;
  }

  /** The pictures side by side: all, or one that was enlarged and the truth beside it. */
  function sideBySide() {
    const truth = media.sources.findIndex((source) => source.kind === "truth");
    const chosen = state.only ? [state.only, ...(truth >= 0 && truth !== state.only ? [truth] : [])] : media.sources.map((_, index) => index);
    return chosen.map((index) => {
      const figure = figureFor(media.sources[index].label, index, shownPart());
      if (media.sources[index].kind !== "method") return figure;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = media.sources[index].label;
      button.title = state.only ? "show all pictures" : "enlarge, beside the truth";
      button.addEventListener("click", () => enlarge(state.only ? 0 : index));
      figure.lastChild.replaceChildren(button);
      return figure;
    });
  }

  /** Enlarge a method, which is never picture 0, beside the truth; 0 shows all pictures. */
  function enlarge(index) {
    const focused = part("stage").contains(document.activeElement);
    state.only = index;
    setView("side");
    // The button that was pressed is another one now.
    if (focused) part("stage").querySelector("button")?.focus();
  }

  /** Enlarge the next method, and after the last one show all. */
  function enlargeNext() {
    enlarge(Math.max(0, media.sources.findIndex((source, index) => index > state.only && source.kind === "method")));
  }

  function setView(view) {
    state.view = Object.hasOwn(views, view) ? view : "side";
    part("view").value = state.view;
    part("stage").classList.toggle("one", state.view !== "side");
    part("stage").classList.toggle("two", state.view === "side" && state.only > 0);
    part("stage").classList.toggle("zoomed", Boolean(state.zoom));
    part("zoom").checked = Boolean(state.zoom);
    for (const control of root.querySelectorAll("[data-for]")) control.hidden = !control.dataset.for.split(" ").includes(state.view);
    const [a, b] = [media.sources[state.a].label, media.sources[state.b].label], white = Math.round(255 / state.gain);
    const captions = { wipe: `${a} (left) and ${b} (right); drag in the picture`,
      difference: `|${a} − ${b}| times ${state.gain}: white is a difference of ${white} grey levels or more`,
      flicker: `${a} and ${b} in turn` };
    part("stage").replaceChildren(...(state.view === "side"
      ? sideBySide()
      : [figureFor(captions[state.view], 0, shownPart())]));
    part("scale-end").value = `${white} grey levels or more`;
    clearInterval(flickerTimer);
    flickerSide = false;
    if (state.view === "flicker") {
      nameFlicker();
      if (!still.matches) flickerTimer = setInterval(swap, 500);
    }
    draw();
    remember();
  }

  function swap() {
    if (state.view !== "flicker") return;
    flickerSide = !flickerSide;
    nameFlicker();
    draw();
  }

  function nameFlicker() {
    part("flicker-now").value = media.sources[flickerSide ? state.b : state.a].label;
  }

  function setWipe(percent) {
    state.wipe = within(Math.round(percent), 0, 100);
    part("wipe").value = state.wipe;
    draw();
  }

  // --- the link keeps the place --------------------------------------------------------------------------------
  const kept = ["frame", "row", "view", "a", "b", "gain", "wipe", "curve", "zoom", "only"];

  /** What the link says: `state`, but the frame that is on its way. */
  const place = () => ({ ...state, frame: playing() ? state.frame : wanted ?? state.frame });

  let written = "";

  function remember() {
    const link = new URLSearchParams(Object.entries(place()).filter(([key, value]) => kept.includes(key) && value !== null));
    written = link.toString();
    if (location.hash.slice(1) !== written) location.replace(`#${written}`);
    for (const neighbour of document.querySelectorAll("[data-neighbour]")) neighbour.hash = new URLSearchParams({ view: state.view, a: state.a, b: state.b, zoom: state.zoom, only: state.only });
  }

  function showPlace() {
    const link = new URLSearchParams(location.hash.slice(1)), numbers = { frame: state.frame };
    for (const key of ["frame", "row", "a", "b", "gain", "wipe", "zoom", "only"]) {
      const value = Number.parseInt(link.get(key), 10);
      if (Number.isInteger(value) && value >= 0) numbers[key] = value;
    }
    // The frame is in `state` only once it is seen.
    const { frame, ...others } = numbers;
    Object.assign(state, others);
    for (const side of ["a", "b"]) state[side] = Math.min(state[side], media.sources.length - 1);
    if (media.sources[state.only]?.kind !== "method") state.only = 0;
    state.zoom = Math.min(state.zoom, 1);
    if (![1, 2, 4, 8, 16].includes(state.gain)) state.gain = 4;
    if (Object.hasOwn(data.curves, link.get("curve"))) state.curve = link.get("curve");
    state.view = link.get("view") || state.view;
    for (const name of ["a", "b", "gain"]) part(name).value = state[name];
    seek(frame);
    setCurve(state.curve);
    setView(state.view);
    setWipe(state.wipe);
    setRow(state.row);
  }
  // Our own changes of the link come here too, and late: by then a key may have sent the next frame on its way.
  window.addEventListener("hashchange", () => {
    if (location.hash.slice(1) === written) return;
    const link = new URLSearchParams(location.hash.slice(1));
    if (kept.some((key) => link.has(key) && link.get(key) !== String(place()[key])) && !playing()) showPlace();
  });

  // --- controls ------------------------------------------------------------------------------------------------
  const on = (name, event, act) => part(name).addEventListener(event, act);
  for (const side of ["a", "b"]) {
    part(side).replaceChildren(...media.sources.map((source, index) => new Option(source.label, index)));
    on(side, "change", () => { state[side] = Number(part(side).value); setView(state.view); });
  }
  for (const [key, curve] of Object.entries(data.curves)) part("curve").append(new Option(curve.name, key));
  part("position").max = last;
  [part("row").min, part("row").max] = [media.rows[0], media.rows[1] - 1];
  on("play", "click", () => setPlaying(!playing()));
  on("back", "click", () => step(-1));
  on("on", "click", () => step(1));
  on("position", "input", () => seek(Number(part("position").value)));
  on("speed", "change", () => { video.playbackRate = Number(part("speed").value); });
  on("loop", "change", () => { video.loop = part("loop").checked; });
  on("outline", "change", () => { state.outline = part("outline").checked; draw(); });
  on("zoom", "change", () => { state.zoom = Number(part("zoom").checked); setView(state.view); });
  on("loupe", "change", () => { state.loupe = part("loupe").checked; draw(); });
  on("view", "change", () => setView(part("view").value));
  on("gain", "change", () => { state.gain = Number(part("gain").value); setView(state.view); });
  on("wipe", "input", () => { setWipe(Number(part("wipe").value)); remember(); });
  on("swap", "click", swap);
  on("row", "input", () => setRow(Number(part("row").value)));
  on("curve", "change", () => { setCurve(part("curve").value); remember(); });
  for (const event of ["pointerdown", "pointermove"]) on("stage", event, ({ buttons, target, offsetX }) => {
    if (state.view === "wipe" && buttons & 1 && target.tagName === "CANVAS") setWipe(100 * offsetX / target.clientWidth);
  });
  on("stage", "pointerup", remember);
  for (const event of ["pointermove", "pointerdown", "pointerleave"]) on("stage", event, ({ target, offsetX, offsetY }) => {
    pointer = event !== "pointerleave" && target.tagName === "CANVAS" ? { x: offsetX / target.clientWidth, y: offsetY / target.clientHeight } : null;
    if (state.loupe) draw();
  });
  on("stage", "click", ({ target }) => {
    const source = media.sources[Number(target.dataset.source)];
    if (state.view === "side" && target.tagName === "CANVAS" && !state.loupe) enlarge(state.only || source.kind !== "method" ? 0 : Number(target.dataset.source));
  });

  const keys = {
    " ": () => setPlaying(!playing()), ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: () => seek(0), End: () => seek(last),
    ArrowUp: () => setRow(state.row - 1), ArrowDown: () => setRow(state.row + 1),
    o: () => part("outline").click(), l: () => part("loop").click(), f: swap,
    z: () => part("zoom").click(), m: () => part("loupe").click(), e: () => enlargeNext(), Escape: () => enlarge(0),
    1: () => setView("side"), 2: () => setView("wipe"), 3: () => setView("difference"), 4: () => setView("flicker"),
    p: () => document.querySelector('[rel="prev"]')?.click(), n: () => document.querySelector('[rel="next"]')?.click(),
  };
  /** Keys that the focused control needs for itself; elsewhere every key works, also right after a click on a control. */
  const own = [["select, input[type=text]", /./], ["input[type=range]", /^(Arrow|Page|Home|End)/], ["input[type=checkbox], button, a, summary", /^ $/]];
  document.addEventListener("keydown", (event) => {
    const taken = own.some(([controls, names]) => event.target.matches(controls) && names.test(event.key));
    if (taken || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });

  // --- begin ---------------------------------------------------------------------------------------------------
  media.sources.forEach((source, index) => {
    // The input's slice shows what the truth's does where both are one picture.
    if (source.kind === "input" && media.sources.some((other) => other !== source && other.tile === source.tile)) return;
    const figure = figureFor(source.label, index, { width: media.width, height: media.frames }), frame = document.createElement("div"), line = document.createElement("div");
    frame.className = "through";
    line.dataset.line = "";
    frame.append(figure.firstChild, line);
    figure.prepend(frame);
    part("slices").append(figure);
  });
  root.hidden = false;
  video.loop = true;
  new ResizeObserver(() => setCurve(state.curve)).observe(part("curves"));
  video.requestVideoFrameCallback(follow);
  const ready = (element) => new Promise((done) => (element.readyState >= 2 ? done() : element.addEventListener("loadeddata", done, { once: true })));
  Promise.all([ready(video), ready(turned)]).then(showPlace);
}
