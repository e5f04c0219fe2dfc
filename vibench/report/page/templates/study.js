"use strict";
// One comparison after the other; answers stay in this browser until the rater downloads them.
(() => {
  const data = JSON.parse(document.getElementById("study-data").textContent);
  const part = (name) => document.querySelector(`[data-part="${name}"]`);
  const films = [part("left-video"), part("right-video")];
  const input = part("input-video");
  if (input) films.push(input);
  const heading = document.querySelector("h1").textContent;
  const shelf = `vibench-study-${data.study}`;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const state = remembered() || { rater: drawn(), answers: [] };
  // What is said of the pair so far: the choice, then a mark for each question.
  let begun = null;
  // Every second rater sees the sides changed and the order reversed: what side and order do cancels out.
  const mirrored = parseInt(state.rater.slice(-1), 16) % 2 === 1;
  const trials = mirrored
    ? data.trials.map((trial) => ({ ...trial, left: trial.right, right: trial.left })).reverse()
    : data.trials;
  let since = 0;
  let address = "";

  function drawn() {
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function remembered() {
    try {
      const kept = JSON.parse(localStorage.getItem(shelf));
      const sound = kept && /^[0-9a-f]{16}$/.test(kept.rater) && Array.isArray(kept.answers);
      return sound && kept.answers.length <= data.trials.length ? kept : null;
    } catch {
      return null; // No storage from disk in some browsers, or a torn entry: start anew.
    }
  }

  function remember() {
    try {
      localStorage.setItem(shelf, JSON.stringify(state));
    } catch {
      // Answers then live only as long as the page, which the rater can still finish.
    }
  }

  function show(section) {
    for (const name of ["intro", "trial", "done"]) part(name).hidden = name !== section;
  }

  function next() {
    const place = state.answers.length;
    if (place === trials.length) return finish();
    show("trial");
    const trial = trials[place];
    begun = null;
    ask();
    part("problem").textContent = "";
    part("now").textContent = `Comparison ${place + 1} of ${trials.length}`;
    part("progress").max = trials.length;
    part("progress").value = place;
    part("back").disabled = place === 0;
    films[0].src = `clips/${trial.left}.mp4`;
    films[1].src = `clips/${trial.right}.mp4`;
    if (input) input.src = `clips/${trial.input}.mp4`;
    since = performance.now();
    if (!still) play();
    named();
  }

  function play() {
    for (const film of films) film.play().catch(() => named());
    named();
  }

  function pause() {
    for (const film of films) film.pause();
    named();
  }

  function again() {
    for (const film of films) film.currentTime = 0;
    play();
  }

  function named() {
    part("play").textContent = films[0].paused ? "Play" : "Pause";
  }

  function question() {
    return begun ? data.questions[Object.keys(begun.marks).length] : undefined;
  }

  function ask() {
    const asked = question();
    part("choices").hidden = begun !== null;
    if (!data.questions.length) return;
    part("marks").hidden = begun === null;
    part("asked").textContent = asked ? asked.asks : heading;
    part("back").disabled = begun === null && state.answers.length === 0;
  }

  function choose(choice) {
    if (begun) return;
    begun = { choice, marks: {} };
    settle();
  }

  function mark(side) {
    if (!begun) return;
    begun.marks[question().name] = side;
    settle();
  }

  // Goes on to the next question of the pair, or to the next pair.
  function settle() {
    if (question()) return ask();
    const trial = trials[state.answers.length];
    const seconds = Math.round(performance.now() - since) / 1000;
    const said = { trial: trial.id, left: trial.left, right: trial.right, choice: begun.choice, seconds };
    if (data.questions.length) said.marks = begun.marks;
    state.answers.push(said);
    remember();
    next();
  }

  function takeBack() {
    if (begun) {
      const names = Object.keys(begun.marks);
      if (names.length) delete begun.marks[names[names.length - 1]];
      else begun = null;
      return ask();
    }
    if (!state.answers.length) return;
    state.answers.pop();
    remember();
    next();
  }

  function finish() {
    pause();
    show("done");
    const text = JSON.stringify({ version: 1, study: data.study, rater: state.rater, mirrored, answers: state.answers });
    part("answers").textContent = text;
    URL.revokeObjectURL(address);
    address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    part("download").href = address;
    part("download").download = `answers-${state.rater}.json`;
    part("done-title").focus();
  }

  const choices = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "tie" };
  const marks = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "neither", ArrowUp: "both" };
  const others = { p: () => (films[0].paused ? play() : pause()), r: again, Backspace: takeBack };
  document.addEventListener("keydown", (event) => {
    // A key that is held down would answer what was never seen.
    if (part("trial").hidden || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = begun ? marks : choices;
    const act = event.key in keys ? () => (begun ? mark : choose)(keys[event.key]) : others[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  for (const button of document.querySelectorAll("[data-choice]")) {
    button.addEventListener("click", () => choose(button.dataset.choice));
  }
  for (const button of document.querySelectorAll("[data-mark]")) {
    button.addEventListener("click", () => mark(button.dataset.mark));
  }
  part("play").addEventListener("click", others.p);
  part("again").addEventListener("click", again);
  part("back").addEventListener("click", takeBack);
  part("undo").addEventListener("click", takeBack);
  part("begin").addEventListener("click", () => {
    next();
    // Not on an answer: the first one pressed must be chosen, not offered.
    if (!part("trial").hidden) part("play").focus();
  });
  films[0].addEventListener("ended", () => again());
  films[0].addEventListener("timeupdate", () => {
    const trial = trials[state.answers.length];
    for (const film of films.slice(1)) {
      if (trial && Math.abs(films[0].currentTime - film.currentTime) > 1.5 / data.rates[trial.left]) {
        film.currentTime = films[0].currentTime;
      }
    }
  });
  for (const film of films) {
    film.addEventListener("error", () => {
      if (film.error) part("problem").textContent = "This browser cannot play a video of this pair; please tell whoever asked you.";
    });
  }
  show("intro");
  if (state.answers.length) part("begin").textContent = "Go on";
})();
