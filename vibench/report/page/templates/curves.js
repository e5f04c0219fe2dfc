"use strict";
// A metric by frame, one line a method, with a line that follows the player and the values at that frame beside the names.

const CHART = { left: 58, right: 8, top: 10, bottom: 22, height: 220 };

/** Draw one curve's series into an <svg>, and names with values into `legend`; returns what moves the line to a frame. */
function drawCurves(chart, legend, curve, look) {
  const series = Object.entries(curve.series);
  const length = Math.max(...series.map(([, values]) => values.length));
  // As wide as it is shown, so that letters keep their shape.
  const scale = chartScale(series, length, Math.max(240, chart.clientWidth));
  chart.setAttribute("viewBox", `0 0 ${scale.width} ${CHART.height}`);
  chart.setAttribute("aria-label", `${curve.name} by frame, one line a method; a click goes to that frame`);
  chart.replaceChildren(...chartAxes(scale, length));
  for (const [method, values] of series) {
    const line = svgElement("path", { d: chartPath(scale, values), fill: "none", stroke: look.colours[method] || "currentColor", "stroke-width": 1.6 });
    if (method === look.floor) line.setAttribute("stroke-dasharray", "4 3");
    line.append(svgElement("title", {}, method));
    chart.append(line);
  }
  const head = svgElement("line", { y1: CHART.top, y2: CHART.height - CHART.bottom, stroke: "currentColor", "data-head": "" });
  chart.append(head);
  chart.onclick = (event) => {
    const place = event.clientX - chart.getBoundingClientRect().left - CHART.left;
    look.seek(Math.max(0, Math.min(length - 1, Math.floor(place / (scale.width - CHART.left - CHART.right) * length))));
  };
  const shown = chartLegend(legend, series, look.colours);
  return (frame) => {
    const x = scale.x(Math.min(frame, length - 1));
    head.setAttribute("x1", x);
    head.setAttribute("x2", x);
    for (const [output, values] of shown) output.value = values[frame] == null ? "–" : Number(values[frame].toPrecision(4));
  };
}

function chartScale(series, length, width) {
  const known = series.flatMap(([, values]) => values).filter((value) => value !== null);
  let [low, high] = known.length ? [Math.min(...known), Math.max(...known)] : [0, 1];
  if (low === high) [low, high] = [low - 1, high + 1];
  return { width, low, high,
    x: (frame) => CHART.left + (frame + 0.5) / length * (width - CHART.left - CHART.right),
    y: (value) => CHART.top + (high - value) / (high - low) * (CHART.height - CHART.top - CHART.bottom) };
}

function chartAxes(scale, length) {
  const right = scale.width - CHART.right, parts = [];
  for (const value of [scale.low, (scale.low + scale.high) / 2, scale.high]) {
    const y = scale.y(value);
    parts.push(svgElement("line", { x1: CHART.left, x2: right, y1: y, y2: y, stroke: "currentColor", "stroke-opacity": 0.15 }));
    parts.push(svgElement("text", { x: CHART.left - 6, y: y + 4, "text-anchor": "end" }, Number(value.toPrecision(3))));
  }
  parts.push(svgElement("text", { x: CHART.left, y: CHART.height - 6 }, "frame 1"));
  parts.push(svgElement("text", { x: right, y: CHART.height - 6, "text-anchor": "end" }, `frame ${length}`));
  return parts;
}

/** The line of one method; it is broken where nothing was measured. */
function chartPath(scale, values) {
  let path = "", pen = "M";
  values.forEach((value, frame) => {
    if (value !== null) path += `${pen}${scale.x(frame).toFixed(1)} ${scale.y(value).toFixed(1)}`;
    pen = value === null ? "M" : "L";
  });
  return path;
}

function chartLegend(legend, series, colours) {
  const shown = [];
  legend.replaceChildren(...series.map(([method, values]) => {
    const entry = document.createElement("span"), dot = document.createElement("span"), output = document.createElement("output");
    dot.className = "dot";
    dot.style.background = colours[method] || "currentColor";
    // A reader of screens would speak at every frame of a playing clip.
    output.setAttribute("aria-live", "off");
    entry.append(dot, method, " ", output);
    shown.push([output, values]);
    return entry;
  }));
  return shown;
}

function svgElement(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}
