// Puts the page together.
const STARTERS = ["Explain how a mixture-of-experts model picks its experts", "Write a Python function that merges overlapping intervals", "Compare FP8 and NVFP4 in a table"];
const dark = window.matchMedia("(prefers-color-scheme: dark)");

// The system's theme, until the reader chooses the other; choosing the system's again follows it again.
function showTheme() {
  const chosen = readStored("theme", null);
  const isDark = chosen ? chosen === "dark" : dark.matches;
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  const label = isDark ? "Light theme" : "Dark theme";
  byId("theme").replaceChildren(icon(isDark ? "sun" : "moon"));
  byId("theme").setAttribute("aria-label", label);
  byId("theme").title = label;
}

function toggleTheme() {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  writeStored("theme", next === (dark.matches ? "dark" : "light") ? null : next);
  showTheme();
}

// Asks for the model until the server answers: it may still be starting.
async function connect(conversation) {
  try {
    await conversation.connect();
  } catch (error) {
    if (error.status === 401) return conversation.keyForm.ask(error.message, null);
    byId("model").textContent = byId("model").title = error.message;
    byId("model").classList.add("offline");
    setTimeout(() => conversation.model || connect(conversation), 3000);
  }
}

function start() {
  showTheme();
  dark.addEventListener("change", showTheme);
  byId("theme").addEventListener("click", toggleTheme);
  const conversation = new Conversation();
  new SettingsDialog();
  new ChatsDialog({open: (chat) => conversation.open(chat), removed: (id) => conversation.removed(id)});
  byId("new-chat").addEventListener("click", () => conversation.startNew());
  for (const text of STARTERS)
    byId("starters").append(h("button", {type: "button", class: "starter", onclick: () => {
      conversation.composer.setText(text);
      conversation.composer.focus();
    }}, text));
  const [last] = readChats();
  if (last && readStored("open", "") === last.id) conversation.open(last);
  window.addEventListener("pagehide", () => writeStored("open", conversation.chat.id));
  conversation.composer.focus();
  connect(conversation);
}

start();
