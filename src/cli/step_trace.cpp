#include "cli/step_trace.h"

#include <fmt/format.h>

#include <cerrno>

namespace tetrad {

Result<std::shared_ptr<StepTrace>> StepTrace::create(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return io_error("cannot write", path, errno);
  std::fputs("[\n", file);
  return std::shared_ptr<StepTrace>(new StepTrace(file));
}

StepTrace::~StepTrace() { std::fclose(file_); }

void StepTrace::add(const StepReport& report) {
  const auto microseconds = [](auto time) { return std::chrono::duration<double, std::micro>(time).count(); };
  const double at = microseconds(report.begin - began_);
  const char* const name = report.prompt_tokens == 0 ? "decode" : report.generated == 0 ? "prefill" : "mixed";
  std::fputs(fmt::format(R"({{"name":"{}","ph":"X","pid":1,"tid":1,"ts":{:.1f},"dur":{:.1f},"args":{{"sequences":{},)"
                         R"("queued":{},"prompt_tokens":{},"generated":{},"drafts":{},"accepted":{}}}}},)"
                         "\n"
                         R"({{"name":"key/value tokens","ph":"C","pid":1,"ts":{:.1f},"args":{{"used":{}}}}},)"
                         "\n",
                         name, at, microseconds(report.end - report.begin), report.sequences, report.queued,
                         report.prompt_tokens, report.generated, report.drafts, report.accepted, at, report.used_tokens)
                 .c_str(),
             file_);
}

}  // namespace tetrad
