#include "cache/prefix_cache.h"

#include <algorithm>

namespace tetrad {

struct PrefixCache::Node {
  Node* parent = nullptr;
  std::vector<std::int32_t> tokens;  // from the parent to here
  std::vector<Slot> slots;
  std::map<std::int32_t, std::unique_ptr<Node>> children;  // by their first token
  std::int64_t locks = 0;                                  // handles at or below this node
  bool listed = false;                                     // in leaves_, at `place`
  std::string salt;                                        // of a root
  std::list<Node*>::iterator place;

  bool is_root() const { return parent == nullptr; }
};

namespace {

std::size_t common_prefix(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  const std::size_t n = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n), b.begin()).first - a.begin());
}

}  // namespace

PrefixCache::PrefixCache(SlotPool& pool) : pool_(pool) {}
PrefixCache::~PrefixCache() = default;

// Lists an unlocked leaf as the most recently used, and unlists what is none.
void PrefixCache::touch(Node* node) {
  if (node->listed) leaves_.erase(node->place);
  node->listed = !node->is_root() && node->locks == 0 && node->children.empty();
  if (node->listed) node->place = leaves_.insert(leaves_.end(), node);
}

// The child that goes on with `rest`, and how many of its tokens do; nullptr when there is none.
PrefixCache::Node* PrefixCache::step_down(Node* node, std::span<const std::int32_t> rest, std::size_t& same) {
  same = 0;
  if (rest.empty()) return nullptr;
  const auto found = node->children.find(rest.front());
  if (found == node->children.end()) return nullptr;
  same = common_prefix(found->second->tokens, rest);
  return found->second.get();
}

// Cuts a node so that its first `length` tokens become a node of their own, which is returned. Handles to the node stay
// valid: it keeps the end.
PrefixCache::Node* PrefixCache::split(Node* node, std::size_t length) {
  const auto cut = static_cast<std::ptrdiff_t>(length);
  auto upper = std::make_unique<Node>();
  Node* parent = node->parent;
  auto& place = parent->children[node->tokens.front()];
  std::unique_ptr<Node> lower = std::move(place);
  upper->parent = parent;
  upper->tokens.assign(lower->tokens.begin(), lower->tokens.begin() + cut);
  upper->slots.assign(lower->slots.begin(), lower->slots.begin() + cut);
  upper->locks = lower->locks;
  lower->tokens.erase(lower->tokens.begin(), lower->tokens.begin() + cut);
  lower->slots.erase(lower->slots.begin(), lower->slots.begin() + cut);
  lower->parent = upper.get();
  Node* result = upper.get();
  upper->children.emplace(lower->tokens.front(), std::move(lower));
  place = std::move(upper);
  return result;
}

void PrefixCache::lock(Node* node) {
  for (; !node->is_root(); node = node->parent) {
    if (node->locks++ == 0) evictable_ -= static_cast<std::int64_t>(node->slots.size());
    touch(node);
  }
}

void PrefixCache::release(Handle handle) {
  if (handle == nullptr) return;
  for (Node* node = handle; !node->is_root(); node = node->parent) {
    TETRAD_CHECK(node->locks > 0);
    if (--node->locks == 0) evictable_ += static_cast<std::int64_t>(node->slots.size());
    touch(node);
  }
}

PrefixCache::Match PrefixCache::match(std::span<const std::int32_t> tokens, const std::string& salt) {
  Match result;
  const auto root = roots_.find(salt);
  if (root == roots_.end()) return result;
  Node* node = root->second.get();
  for (;;) {
    std::size_t same = 0;
    Node* child = step_down(node, tokens.subspan(result.slots.size()), same);
    if (child == nullptr || same == 0) break;
    node = same < child->tokens.size() ? split(child, same) : child;
    result.slots.insert(result.slots.end(), node->slots.begin(), node->slots.end());
  }
  if (node->is_root()) return result;
  lock(node);
  result.handle = node;
  return result;
}

PrefixCache::Handle PrefixCache::insert(std::span<const std::int32_t> tokens, std::span<Slot> slots,
                                        const std::string& salt) {
  TETRAD_CHECK(tokens.size() == slots.size());
  if (tokens.empty()) return nullptr;
  auto& root = roots_[salt];
  if (root == nullptr) {
    root = std::make_unique<Node>();
    root->salt = salt;
  }
  Node* node = root.get();
  std::size_t at = 0;
  while (at < tokens.size()) {
    std::size_t same = 0;
    Node* child = step_down(node, tokens.subspan(at), same);
    if (child == nullptr) break;
    node = same < child->tokens.size() ? split(child, same) : child;
    for (std::size_t i = 0; i < same; ++i) {
      Slot& mine = slots[at + i];
      if (mine == node->slots[i]) continue;
      pool_.give({&mine, 1});
      mine = node->slots[i];
    }
    at += same;
  }
  if (at < tokens.size()) {
    auto leaf = std::make_unique<Node>();
    leaf->parent = node;
    leaf->tokens.assign(tokens.begin() + static_cast<std::ptrdiff_t>(at), tokens.end());
    leaf->slots.assign(slots.begin() + static_cast<std::ptrdiff_t>(at), slots.end());
    const auto count = static_cast<std::int64_t>(leaf->slots.size());
    held_ += count;
    evictable_ += count;
    Node* added = leaf.get();
    node->children.emplace(tokens[at], std::move(leaf));
    touch(node);
    node = added;
  }
  lock(node);
  return node;
}

// Takes the last `count` tokens from an unlocked leaf; one that is empty then disappears.
void PrefixCache::trim(Node* leaf, std::size_t count) {
  TETRAD_CHECK(leaf->children.empty() && leaf->locks == 0 && count <= leaf->slots.size());
  pool_.give(std::span(leaf->slots).last(count));
  held_ -= static_cast<std::int64_t>(count);
  evictable_ -= static_cast<std::int64_t>(count);
  const std::int32_t first = leaf->tokens.front();
  leaf->tokens.resize(leaf->tokens.size() - count);
  leaf->slots.resize(leaf->tokens.size());
  if (!leaf->tokens.empty()) return;
  Node* parent = leaf->parent;
  leaves_.erase(leaf->place);
  parent->children.erase(first);
  if (!parent->children.empty()) return;
  if (parent->is_root()) {
    const std::string salt = parent->salt;
    roots_.erase(salt);
  } else if (parent->locks == 0) {
    // It was used no later than the child that is gone, and is the next to go.
    parent->listed = true;
    parent->place = leaves_.insert(leaves_.begin(), parent);
  }
}

std::int64_t PrefixCache::evict(std::int64_t count) {
  std::int64_t freed = 0;
  while (freed < count && !leaves_.empty()) {
    Node* leaf = leaves_.front();
    const auto part = std::min(static_cast<std::int64_t>(leaf->slots.size()), count - freed);
    trim(leaf, static_cast<std::size_t>(part));
    freed += part;
  }
  return freed;
}

}  // namespace tetrad
