// How answers are sampled. An empty field leaves the choice to the server ("default"); what isn't valid is said beside it and not used.
const NUMBERS = [
  {name: "temperature", label: "Temperature", min: 0, max: 2, step: 0.05, help: "0 always takes the likeliest token"},
  {name: "top_p", label: "Top p", min: 0, max: 1, step: 0.01, help: "Keeps the likeliest tokens that add up to this"},
  {name: "top_k", label: "Top k", min: -1, max: 1000000, step: 1, help: "Keeps this many; -1 keeps all"},
  {name: "min_p", label: "Min p", min: 0, max: 1, step: 0.01, help: "Drops tokens below this share of the best"},
  {name: "max_tokens", label: "Max tokens", min: 1, max: 10000000, step: 1, help: "Where an answer ends at the latest"},
  {name: "seed", label: "Seed", min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, help: "The same seed, the same answer"},
];
const TEXTS = [
  {name: "system", label: "System prompt", rows: 4, help: "Comes before every chat"},
  {name: "tools", label: "Tools", rows: 4, code: true, help: "A JSON array as in the API: [{\"type\": \"function\", \"function\": {…}}]"},
];

// What is wrong with a field's text, or "".
function settingFault(field, text) {
  if (!text.trim()) return "";
  if (field.name === "tools") {
    try {
      return Array.isArray(JSON.parse(text)) ? "" : "This isn't an array.";
    } catch (error) {
      return `This isn't JSON: ${error.message}`;
    }
  }
  if (field.min === undefined) return "";
  const value = Number(text);
  if (!Number.isFinite(value)) return "This isn't a number.";
  if (value < field.min || value > field.max) return field.max > 1000 && value > field.max ? "This is too large." : field.max > 1000 ? `At least ${field.min}.` : `Between ${field.min} and ${field.max}.`;
  return field.step === 1 && !Number.isInteger(value) ? "A whole number, please." : "";
}

// The part of a request that the settings make: {sampling: {...}, system, tools}
function chosenSettings() {
  const stored = readStored("settings", {}), chosen = {sampling: {}, system: "", tools: null};
  const text = (field) => {
    const value = stored && typeof stored[field.name] === "string" ? stored[field.name] : "";
    return settingFault(field, value) ? "" : value.trim();
  };
  for (const field of NUMBERS) if (text(field)) chosen.sampling[field.name] = Number(text(field));
  chosen.system = text(TEXTS[0]);
  const tools = text(TEXTS[1]) ? JSON.parse(text(TEXTS[1])) : [];
  if (tools.length > 0) chosen.tools = tools;
  return chosen;
}

class SettingsDialog {
  constructor() {
    this.dialog = byId("settings");
    this.inputs = new Map();
    byId("open-settings").addEventListener("click", () => this.open());
    closeOnBackdrop(this.dialog);
    const fields = NUMBERS.map((field) => this.field(field)), texts = TEXTS.map((field) => this.field(field));
    this.about = h("p", {class: "hint-text"});
    this.dialog.append(dialogHead("settings-title", "Settings", this.dialog), h("div", {class: "dialog-body"},
      texts[0], h("div", {class: "fields"}, fields), texts[1], this.about),
    h("div", {class: "dialog-foot"}, h("button", {type: "button", class: "plain", onclick: () => this.reset()}, "Reset"),
      h("button", {type: "button", class: "primary", onclick: () => this.dialog.close()}, "Done")));
  }

  field(field) {
    const id = "set-" + field.name;
    const common = {id, "aria-describedby": `${id}-help ${id}-fault`, oninput: () => this.changed(field), spellcheck: "false"};
    const input = field.rows ? h("textarea", {...common, rows: field.rows, class: field.code ? "mono" : null, placeholder: "none"})
      : h("input", {...common, type: "text", inputmode: field.step === 1 ? "numeric" : "decimal", autocomplete: "off", placeholder: "default"});
    const fault = h("p", {class: "fault", id: id + "-fault", role: "alert"});
    this.inputs.set(field, {input, fault});
    return h("div", {class: "field"}, h("label", {for: id}, field.label), input, h("p", {class: "hint-text", id: id + "-help"}, field.help), fault);
  }

  changed(field) {
    const {input, fault} = this.inputs.get(field);
    fault.textContent = settingFault(field, input.value);
    input.setAttribute("aria-invalid", String(fault.textContent !== ""));
    writeStored("settings", {...readStored("settings", {}), [field.name]: input.value});
  }

  open() {
    const stored = readStored("settings", {});
    for (const [field, {input}] of this.inputs) {
      input.value = stored && typeof stored[field.name] === "string" ? stored[field.name] : "";
      this.changed(field);
    }
    this.dialog.showModal();
  }

  reset() {
    for (const [field, {input}] of this.inputs) {
      input.value = "";
      this.changed(field);
    }
    announce("All settings are the server's again");
  }
}

function dialogHead(id, title, dialog) {
  return h("div", {class: "dialog-head"}, h("h2", {id}, title), iconButton("close", "Close", () => dialog.close()));
}

function closeOnBackdrop(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}
