#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "audit/verify.h"

namespace tetrad {
namespace {

struct ErrorSummary {
  std::size_t count = 0;
  double mean = 0, largest = 0;
  const MatrixError* worst = nullptr;
};

// projection -1: all of them.
ErrorSummary summary_of(const Verification& verification, int projection) {
  ErrorSummary summary;
  for (const MatrixError& matrix : verification.matrices) {
    if (projection >= 0 && matrix.projection != projection) continue;
    summary.count += 1;
    summary.mean += matrix.relative_error;
    if (summary.worst == nullptr || matrix.relative_error > summary.largest) {
      summary.worst = &matrix;
      summary.largest = matrix.relative_error;
    }
  }
  if (summary.count > 0) summary.mean /= static_cast<double>(summary.count);
  return summary;
}

std::string comparison_text(const Verification& verification) {
  std::string text = fmt::format("against {}: {} unquantized tensors equal\n", printable(verification.against),
                                 verification.equal_tensors);
  if (verification.matrices.empty()) return text;
  text += fmt::format("{:<12}{:>10}{:>12}{:>12}  {}\n", "projection", "matrices", "mean error", "max error", "of");
  for (int projection = -1; projection < 3; ++projection) {
    const ErrorSummary summary = summary_of(verification, projection);
    if (summary.count == 0) continue;
    text += fmt::format("{:<12}{:>10}{:>12.5f}{:>12.5f}  {}\n",
                        projection < 0 ? "all" : kProjections[static_cast<std::size_t>(projection)], summary.count,
                        summary.mean, summary.largest, summary.worst->module);
  }
  return text;
}

}  // namespace

std::string to_text(const Verification& verification) {
  std::string text;
  for (const Fault& fault : verification.faults) text += fault.where + ": " + fault.what + "\n";
  if (verification.fault_count > verification.faults.size())
    text += fmt::format("... and {} more faults\n", verification.fault_count - verification.faults.size());
  if (!verification.against.empty()) text += comparison_text(verification);
  if (verification.good())
    text += fmt::format("{}: {} tensors, no faults\n", printable(verification.directory), verification.tensors);
  else
    text += fmt::format("{}: {} tensors, {} fault{}\n", printable(verification.directory), verification.tensors,
                        verification.fault_count, verification.fault_count == 1 ? "" : "s");
  return text;
}

Json to_json(const Verification& verification) {
  Json faults = Json::array();
  for (const Fault& fault : verification.faults) faults.push_back({{"where", fault.where}, {"what", fault.what}});
  Json json = {{"model", verification.directory},
               {"tensors", verification.tensors},
               {"fault_count", verification.fault_count},
               {"faults", std::move(faults)}};
  if (verification.against.empty()) return json;
  Json against = {{"source", verification.against},
                  {"equal_tensors", verification.equal_tensors},
                  {"matrices", verification.matrices.size()}};
  const ErrorSummary all = summary_of(verification, -1);
  against["relative_error"] = {{"mean", all.mean}, {"max", all.largest}};
  for (int projection = 0; projection < 3; ++projection) {
    const ErrorSummary summary = summary_of(verification, projection);
    if (summary.count > 0)
      against["relative_error"][kProjections[static_cast<std::size_t>(projection)]] = {{"mean", summary.mean},
                                                                                       {"max", summary.largest}};
  }
  Json& list = against["tensors"] = Json::array();
  for (const MatrixError& matrix : verification.matrices)
    list.push_back({{"module", matrix.module}, {"relative_error", matrix.relative_error}});
  json["against"] = std::move(against);
  return json;
}

}  // namespace tetrad
