// Where a forward pass spends its time: wall seconds by operation and layer, taken by the thread that runs the pass
// (operations follow each other, their loops over the pool end before the next begins). Costs 50 ns an operation when
// on, a comparison when off. Not thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

namespace tetrad {

enum class Op : std::uint8_t {
  kQkv,
  kRotary,
  kAttend,
  kOutput,
  kRouter,
  kGather,
  kFetch,  // waiting for experts from disk, with an ExpertCache
  kGateUp,
  kActivate,
  kDown,
  kScatter,
  kHead
};
inline constexpr std::array<const char*, 12> kOpNames = {"norm, q, k, v",    "norm, rotary, store",
                                                         "attention",        "output projection",
                                                         "router",           "gather rows",
                                                         "wait for experts", "gate, up",
                                                         "swiglu",           "down",
                                                         "weighted sum",     "norm, output head"};

class OpProfile {
 public:
  void set_layer(std::size_t layer) { layer_ = layer; }
  void add(Op op, double seconds) {
    ops_[static_cast<std::size_t>(op)] += seconds;
    if (layers_.size() <= layer_) layers_.resize(layer_ + 1);
    if (op != Op::kHead) layers_[layer_] += seconds;
  }
  void clear() { *this = OpProfile(); }
  const std::array<double, kOpNames.size()>& ops() const { return ops_; }  // seconds, as in Op
  const std::vector<double>& layers() const { return layers_; }            // seconds, without the output head

 private:
  std::array<double, kOpNames.size()> ops_ = {};
  std::vector<double> layers_;
  std::size_t layer_ = 0;
};

// From construction to destruction or stop(); nothing when `profile` is nullptr.
class OpTimer {
 public:
  OpTimer(OpProfile* profile, Op op) : profile_(profile), op_(op) {
    if (profile_ != nullptr) start_ = std::chrono::steady_clock::now();
  }
  ~OpTimer() { stop(); }
  OpTimer(const OpTimer&) = delete;
  OpTimer& operator=(const OpTimer&) = delete;
  void stop() {
    if (profile_ != nullptr)
      profile_->add(op_, std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
    profile_ = nullptr;
  }

 private:
  OpProfile* profile_;
  Op op_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace tetrad
