// What the browser keeps: settings, theme and the last chats in localStorage, bounded; the key in sessionStorage only, so that it
// goes with the tab. Both may be forbidden or full: then everything lives as long as the page.
const MAX_CHATS = 30;
const MAX_CHATS_TEXT = 2000000;  // characters of JSON; browsers allow about five million
const memory = new Map();

function readStored(name, fallback) {
  try {
    const text = localStorage.getItem("tetrad." + name) ?? memory.get(name);
    return text === undefined || text === null ? fallback : JSON.parse(text);
  } catch {
    return fallback;
  }
}

function writeStored(name, value) {
  const text = JSON.stringify(value);
  memory.set(name, text);
  try {
    localStorage.setItem("tetrad." + name, text);
    return true;
  } catch {
    return false;
  }
}

let keyInMemory = "";

function readKey() {
  try {
    return sessionStorage.getItem("tetrad.key") || keyInMemory;
  } catch {
    return keyInMemory;
  }
}

function writeKey(key) {
  keyInMemory = key;
  try {
    sessionStorage.setItem("tetrad.key", key);
  } catch {
    // Kept in memory.
  }
}

// The newest first: [{id, title, updated, messages}]. A damaged store is an empty one.
function readChats() {
  const chats = readStored("chats", []);
  const fine = (chat) => chat && typeof chat.id === "string" && Array.isArray(chat.messages) && chat.messages.every(isMessage);
  return Array.isArray(chats) ? chats.filter(fine) : [];
}

function isMessage(message) {
  if (!message || typeof message.content !== "string") return false;
  if (message.role === "assistant") return typeof message.reasoning === "string" && Array.isArray(message.calls);
  return message.role === "user" || message.role === "tool";
}

// Old chats give way until the rest fits.
function writeChats(chats) {
  const kept = chats.slice(0, MAX_CHATS);
  while (kept.length > 1 && JSON.stringify(kept).length > MAX_CHATS_TEXT) kept.pop();
  while (!writeStored("chats", kept) && kept.length > 1) kept.pop();
}

function saveChat(chat) {
  if (chat.messages.length === 0 || chat.removed) return;
  chat.updated = Date.now();
  const first = chat.messages.find((message) => message.role === "user");
  chat.title = (first ? first.content : "").trim().replace(/\s+/g, " ").slice(0, 80) || "Chat";
  writeChats([chat, ...readChats().filter((other) => other.id !== chat.id)]);
}

function newChat() {
  return {id: `${Date.now().toString(36)}-${Math.floor(Math.random() * 1e9).toString(36)}`, title: "", updated: 0, messages: []};
}
