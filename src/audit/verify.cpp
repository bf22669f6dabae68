#include "audit/verify.h"

#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

#include "audit/compare.h"
#include "audit/exclusions.h"
#include "audit/module_check.h"

namespace tetrad {
namespace {

struct Job {
  std::string module, suffix;
  Shape shape;
  Role role;
  int projection;
  bool linear;
};

struct Outcome {
  ModuleCheck check;
  Comparison comparison;
};

std::vector<Job> jobs_of(const Checkpoint& checkpoint, const ModelConfig& config) {
  std::vector<Job> jobs;
  for (TensorRow& row : tensor_table(config)) {
    const int projection = row.role == Role::kExpert ? identify_tensor(config, row.module).projection : -1;
    jobs.push_back(
        {std::move(row.module), std::move(row.suffix), std::move(row.shape), row.role, projection, row.linear});
  }
  for (const Checkpoint::Entry& entry :
       checkpoint.entries()) {  // MTP layers have no table: what is stored is what there is
    TensorIdentity identity = identify_tensor(config, entry.name);
    if (identity.role != Role::kMtp || is_scale(identity.suffix)) continue;
    Shape shape = entry.view.shape;
    const bool matrix = shape.size() == 2 && shape[0] > 0 && shape[1] > 0 && identity.suffix.starts_with(".weight") &&
                        !identity.module.ends_with("embed_tokens");
    if (matrix && entry.view.dtype == DType::kU8) shape[1] *= 2;
    jobs.push_back({std::move(identity.module), matrix ? ".weight" : std::move(identity.suffix), std::move(shape),
                    Role::kMtp, -1, matrix});
  }
  return jobs;
}

Outcome run_job(const Job& job, const Checkpoint& checkpoint, const ModelConfig& config, const Checkpoint* against) {
  Outcome outcome;
  if (job.linear) {
    outcome.check = check_linear(checkpoint, config, job.module, job.shape[0], job.shape[1]);
    if (against != nullptr)
      outcome.comparison = compare_linear(checkpoint, *against, job.module, job.shape[0], job.shape[1]);
  } else {
    outcome.check = check_plain(checkpoint, job.module + job.suffix, job.shape);
    if (against != nullptr) outcome.comparison = compare_plain(checkpoint, *against, job.module + job.suffix);
  }
  return outcome;
}

class Collector {
 public:
  explicit Collector(Verification& verification) : verification_(verification) {}
  void add(Fault fault) {
    verification_.fault_count += 1;
    if (verification_.faults.size() >= Verification::kMaxFaults) return;
    verification_.faults.push_back({printable(fault.where), printable(fault.what, 600)});
  }
  void add(std::vector<Fault>&& faults) {
    for (Fault& fault : faults) add(std::move(fault));
  }

 private:
  Verification& verification_;
};

// Loaders keep one scale for gate and up together and take gate's, or the larger one: with different ones the other
// half is wrong by their ratio.
void check_pair(const Job& gate, const Outcome& a, const Outcome& b, Collector& faults) {
  const auto compare = [&](std::optional<float> x, std::optional<float> y, const char* what) {
    if (x && y && *x != *y)
      faults.add(Fault{gate.module, fmt::format("gate and up have different {}: {} and {}", what, *x, *y)});
  };
  compare(a.check.tensor_scale, b.check.tensor_scale, "tensor scales");
  compare(a.check.input_scale, b.check.input_scale, "input scales");
}

// Tensors that nothing asks for, and tensors that the index does not list.
void check_extra(const Checkpoint& checkpoint, const ModelConfig& config, const std::vector<Job>& jobs,
                 const std::vector<Outcome>& outcomes, Collector& faults) {
  std::unordered_set<std::string> plain;
  std::unordered_map<std::string, StoredAs> linear;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i].linear)
      linear.emplace(jobs[i].module, outcomes[i].check.stored);
    else
      plain.insert(jobs[i].module + jobs[i].suffix);
  }
  const std::unordered_set<std::string> indexed(checkpoint.indexed_names().begin(), checkpoint.indexed_names().end());
  for (const Checkpoint::Entry& entry : checkpoint.entries()) {
    const std::string file = checkpoint.shards()[entry.shard].filename().string();
    if (!indexed.empty() && !indexed.contains(entry.name))
      faults.add(Fault{entry.name, fmt::format("{} holds it, but the index does not list it", file)});
    if (plain.contains(entry.name)) continue;
    const TensorIdentity identity = identify_tensor(config, entry.name);
    const auto found = linear.find(identity.module);
    if (found == linear.end())
      faults.add(
          Fault{entry.name, fmt::format("extra tensor in {}: {} has none of this name", file, config.model_type)});
    else if (!suffix_belongs(found->second, identity.module, identity.suffix))
      faults.add(Fault{entry.name, "extra tensor: nothing reads it beside a matrix stored like this"});
  }
}

void check_left_out(const Checkpoint& checkpoint, const ModelConfig& config, const Checkpoint& source,
                    Collector& faults) {
  for (const Checkpoint::Entry& entry : source.entries()) {
    const TensorIdentity identity = identify_tensor(config, entry.name);
    if ((identity.role != Role::kMtp && identity.role != Role::kOther) || is_scale(identity.suffix)) continue;
    const bool packed = checkpoint.find(identity.module + ".weight_packed") != nullptr;
    if (checkpoint.find(entry.name) == nullptr && !packed)
      faults.add(Fault{entry.name, "missing tensor: the source has it"});
  }
}

}  // namespace

Verification verify(const Checkpoint& checkpoint, const ModelConfig& config, const Checkpoint* against,
                    const std::vector<Error>& opening, ThreadPool& pool) {
  Verification verification;
  verification.directory = checkpoint.directory().string();
  verification.tensors = checkpoint.entries().size();
  if (against != nullptr) verification.against = against->directory().string();
  Collector faults(verification);
  for (const Error& error : opening) faults.add(Fault{"files", error.message});
  std::vector<Fault> found;
  check_quant_config(checkpoint, config, found);
  faults.add(std::move(found));

  const std::vector<Job> jobs = jobs_of(checkpoint, config);
  std::vector<Outcome> outcomes(jobs.size());
  pool.run(jobs.size(),
           [&](std::size_t i, std::size_t) { outcomes[i] = run_job(jobs[i], checkpoint, config, against); });

  const Exclusions exclusions(config, checkpoint.config());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Outcome& outcome = outcomes[i];
    if (jobs[i].linear)
      exclusions.check(jobs[i].module, outcome.check.stored, outcome.check.dtype, outcome.check.faults);
    faults.add(std::move(outcome.check.faults));
    if (jobs[i].projection == 1) check_pair(jobs[i - 1], outcomes[i - 1], outcome, faults);
    faults.add(std::move(outcome.comparison.faults));
    if (const auto error = outcome.comparison.relative_error)
      verification.matrices.push_back({jobs[i].module, jobs[i].role, jobs[i].projection, *error});
    verification.equal_tensors += outcome.comparison.equal ? 1 : 0;
  }
  check_extra(checkpoint, config, jobs, outcomes, faults);
  if (against != nullptr) check_left_out(checkpoint, config, *against, faults);
  return verification;
}

Result<Verification> verify_directory(const std::filesystem::path& directory,
                                      const std::optional<std::filesystem::path>& against, ThreadPool& pool) {
  std::vector<Error> opening;
  const Checkpoint checkpoint = TETRAD_TRY(Checkpoint::open_damaged(directory, opening));
  const ModelConfig config = TETRAD_TRY(ModelConfig::parse(checkpoint.config(), (directory / "config.json").string()));
  std::optional<Checkpoint> source;
  if (against) source = TETRAD_TRY(Checkpoint::open(*against));
  return verify(checkpoint, config, source ? &*source : nullptr, opening, pool);
}

}  // namespace tetrad
