// SPDX-License-Identifier: GPL-2.0-only
// Shows the picture of the current time, and advances the time. The page defines `times`, `end` and
// `shift` before this script.
const element = (name) => document.getElementById(name);
const [strip, slider, button, label] = ["strip", "at", "play", "time"].map(element);
let at = 0, playing = true, last = performance.now();

function show() {
  const picture = Math.max(0, times.findLastIndex((time) => time <= at));
  strip.setAttribute("transform", `translate(${-picture * shift} 0)`);
  slider.value = at;
  label.textContent = `${at.toFixed(1)} s of ${end.toFixed(1)} s`;
  button.textContent = playing ? "Pause" : "Play";
}

function step(now) {
  if (playing) {
    at = Math.min(end, at + (now - last) / 1000);
    playing = at < end;
  }
  last = now;
  show();
  requestAnimationFrame(step);
}

button.onclick = () => {
  at = at < end ? at : 0;
  playing = !playing;
};
slider.oninput = () => {
  at = Number(slider.value);
  playing = false;
};
requestAnimationFrame(step);
