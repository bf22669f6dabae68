// What a tool's JSON schema says about one parameter, as far as it decides how the model's text becomes JSON. Used by
// tool_arguments.h. Pure functions; no errors: what can't be understood allows nothing and the value stays text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"

namespace tetrad {

// A set of these, or-ed. 0: the schema says nothing about the type.
using JsonTypes = std::uint8_t;
inline constexpr JsonTypes kJsonNull = 1, kJsonBoolean = 2, kJsonInteger = 4, kJsonNumber = 8, kJsonString = 16,
                           kJsonArray = 32, kJsonObject = 64;

// `parameters` is the function's schema (an object schema with "properties", possibly behind $ref or
// allOf/anyOf/oneOf). Followed: "type" (name or list), "enum", "const", "nullable", anyOf/oneOf (union), allOf
// (intersection) and "$ref" inside of `parameters`; at most 16 levels and 1,000 schemas deep, so that a schema that
// refers to itself ends.
JsonTypes parameter_types(const Json& parameters, std::string_view name);

}  // namespace tetrad
