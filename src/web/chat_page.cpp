#include "web/chat_page.h"

namespace tetrad {
namespace {

constexpr char kPage[] = {
#include "chat_page.inc"  // made by the build: assemble.cmake
};

}  // namespace

std::string_view chat_page() { return {kPage, sizeof kPage}; }

}  // namespace tetrad
