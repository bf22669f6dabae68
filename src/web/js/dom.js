// Building the page's elements. Text becomes text nodes and never markup: there is no other way to make elements here.
const SVG = "http://www.w3.org/2000/svg";

// h("button", {class: "x", onclick: f, "aria-label": "y"}, child, "text", ...): null, undefined and false are left out.
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

const byId = (id) => document.getElementById(id);

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", "#i-" + name);
  svg.append(use);
  return svg;
}

function iconButton(name, label, onclick, more) {
  return h("button", {type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...more}, icon(name));
}

// Without HTTPS or localhost there is no clipboard object: an invisible text area takes its place.
async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Refused, for instance because the page has no focus: the other way may still work.
    }
  }
  const area = h("textarea", {class: "sr-only", "aria-hidden": "true", tabindex: "-1"});
  area.value = text;
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (focused) focused.focus();
  return done;
}

// A button that shows for a moment whether the text was copied; `text` is a function, asked when pressed.
function copyButton(label, text) {
  const button = iconButton("copy", label, async () => {
    const done = await copyText(text());
    button.replaceChildren(icon(done ? "check" : "close"));
    announce(done ? "Copied" : "The browser didn't allow copying");
    setTimeout(() => button.replaceChildren(icon("copy")), 1600);
  });
  return button;
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function announce(text) {
  byId("status").textContent = text;
}

const grouped = new Intl.NumberFormat("en");
const count = (number, noun) => `${grouped.format(number)} ${noun}${number === 1 ? "" : "s"}`;

function duration(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 0.95) return `${Math.max(1, Math.round(milliseconds))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

// While it counts, whole seconds, since tenths would flicker.
const wholeSeconds = (milliseconds) => count(Math.max(1, Math.round(milliseconds / 1000)), "second");
const seconds = (milliseconds) => (milliseconds < 9950 ? `${Math.max(0.1, milliseconds / 1000).toFixed(1)} seconds` : wholeSeconds(milliseconds));
