// The earlier chats that this browser still has.
class ChatsDialog {
  // actions: {open(chat), removed(id)}
  constructor(actions) {
    this.actions = actions;
    this.dialog = byId("chats");
    this.list = h("ul", {class: "chat-list"});
    this.empty = h("p", {class: "hint-text"}, "No chats yet. They are kept in this browser only.");
    this.clear = h("button", {type: "button", class: "plain", onclick: () => this.removeAll()}, "Delete all");
    this.dialog.append(dialogHead("chats-title", "Earlier chats", this.dialog), h("div", {class: "dialog-body"}, this.empty, this.list),
      h("div", {class: "dialog-foot"}, this.clear, h("button", {type: "button", class: "primary", onclick: () => this.dialog.close()}, "Done")));
    byId("open-chats").addEventListener("click", () => {
      this.show();
      this.dialog.showModal();
    });
    closeOnBackdrop(this.dialog);
  }

  show() {
    const chats = readChats();
    this.empty.hidden = chats.length > 0;
    this.clear.hidden = chats.length === 0;
    this.list.replaceChildren(...chats.map((chat) => this.row(chat)));
  }

  row(chat) {
    const open = () => {
      this.dialog.close();
      this.actions.open(chat);
    };
    const when = new Date(chat.updated).toLocaleString("en", {dateStyle: "medium", timeStyle: "short"});
    return h("li", null, h("button", {type: "button", class: "chat-row", onclick: open}, h("span", {class: "chat-title"}, chat.title || "Chat"), h("span", {class: "chat-when"}, when)),
      iconButton("trash", "Delete this chat", () => this.remove(chat.id)));
  }

  remove(id) {
    writeChats(readChats().filter((chat) => chat.id !== id));
    this.actions.removed(id);
    this.show();
    (this.list.querySelector("button") || this.dialog.querySelector("button")).focus();
  }

  removeAll() {
    for (const chat of readChats()) this.actions.removed(chat.id);
    writeChats([]);
    this.show();
  }
}
