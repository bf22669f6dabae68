#include "cli/sglang_flags.h"

#include <CLI/CLI.hpp>
#include <string_view>

#include "cli/sglang_device_flags.h"

namespace tetrad {
namespace {

// By what they are about; "=" marks those that take a value.
constexpr std::string_view kFlags[] = {
    // loading
    "trust-remote-code",
    "dtype=",
    "quantization=",
    "load-format=",
    "tokenizer-path=",
    "tokenizer-mode=",
    "revision=",
    "model-loader-extra-config=",
    "download-dir=",
    "weight-loader-disable-mmap",
    "skip-server-warmup",
    "warmups=",
    "skip-tokenizer-init",
    "modelopt-quant=",
    "quantization-param-path=",
    // GPU kernels and graphs
    "enable-torch-compile",
    "torch-compile-max-bs=",
    "attention-backend=",
    "prefill-attention-backend=",
    "decode-attention-backend=",
    "sampling-backend=",
    "grammar-backend=",
    "moe-runner-backend=",
    "moe-a2a-backend=",
    "fp4-gemm-backend=",
    "fp8-gemm-backend=",
    "cuda-graph-max-bs=",
    "cuda-graph-bs=",
    "disable-cuda-graph",
    "disable-cuda-graph-padding",
    "enable-piecewise-cuda-graph",
    "disable-piecewise-cuda-graph",
    "enable-flashinfer-allreduce-fusion",
    "enable-pcie-oneshot-allreduce",
    "disable-custom-all-reduce",
    "enable-mscclpp",
    "enable-nccl-nvls",
    "enable-symm-mem",
    "triton-attention-num-kv-splits=",
    "enable-deterministic-inference",
    "device=",
    "base-gpu-id=",
    "gpu-id-step=",
    "numa-node=",
    // parallelism on GPUs
    "ep=",
    "ep-size=",
    "expert-parallel-size=",
    "dp=",
    "dp-size=",
    "data-parallel-size=",
    "pp=",
    "pp-size=",
    "pipeline-parallel-size=",
    "enable-dp-attention",
    "enable-expert-parallel",
    "nnodes=",
    "node-rank=",
    "dist-init-addr=",
    "dist-timeout=",
    "enable-ep-moe",
    "enable-deepep-moe",
    "enable-two-batch-overlap",
    // scheduling
    "schedule-policy=",
    "schedule-conservativeness=",
    "max-prefill-tokens=",
    "page-size=",
    "enable-mixed-chunk",
    "disable-overlap-schedule",
    "enable-priority-scheduling",
    "stream-interval=",
    "num-continuous-decode-steps=",
    "radix-eviction-policy=",
    "enable-hierarchical-cache",
    "sleep-on-idle",
    "watchdog-timeout=",
    "random-seed=",
    "swa-full-tokens-ratio=",
    "disable-hybrid-swa-memory",
    "constrained-json-whitespace-pattern=",
    // speculation
    "speculative-num-steps=",
    "speculative-eagle-topk=",
    "speculative-draft-model-path=",
    "speculative-attention-mode=",
    // serving and logs
    "enable-metrics",
    "enable-cache-report",
    "enable-request-time-stats-logging",
    "show-time-cost",
    "decode-log-interval=",
    "log-level-http=",
    "tokenizer-worker-num=",
    "enable-metrics-for-all-schedulers",
    "collect-tokens-histogram",
    "sampling-defaults=",
    "preferred-sampling-params=",
    "file-storage-path=",
    "crash-dump-folder=",
    "enable-auto-tool-choice",
    "enable-custom-logit-processor",
    "enable-return-hidden-states",
    "admin-api-key=",
    "is-embedding",
    "enable-multimodal",
};

// What is asked for happens anyway: worth no line.
constexpr std::string_view kAlways[] = {
    "enable-metrics",          "enable-cache-report", "enable-priority-scheduling",
    "enable-auto-tool-choice", "enable-mixed-chunk",  "enable-deterministic-inference"};

constexpr std::string_view kMany = "cuda-graph-bs=, cuda-graph-bs-decode=, cuda-graph-bs-prefill=";  // values

}  // namespace

void add_sglang_flags(CLI::App& command, std::vector<std::string>& used) {
  const auto add = [&](std::string_view flag) {
    const bool has_value = flag.ends_with('=');
    const std::string name = "--" + std::string(flag.substr(0, flag.size() - (has_value ? 1 : 0)));
    bool always = false;
    for (const std::string_view known : kAlways) always = always || name == "--" + std::string(known);
    const auto note = [&used, name, always] {
      if (!always) used.push_back(name);
    };
    if (has_value)
      command.add_option_function<std::vector<std::string>>(name, [note](const std::vector<std::string>&) { note(); })
          ->allow_extra_args(kMany.find(flag) != kMany.npos)
          ->group("");
    else
      command.add_flag_callback(name, note)->group("");
  };
  for (const std::string_view flag : kFlags) add(flag);
  for (const std::string_view flag : kDeviceFlags) add(flag);
}

}  // namespace tetrad
