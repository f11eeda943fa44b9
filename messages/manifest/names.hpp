/// What Kubernetes lets things be called.
///
/// Source: RFC 1123, RFC 6335 and apimachinery's validation.
#pragma once

#include <string_view>

namespace legion::manifest {

bool dns_label(std::string_view x);      // at most 63 of a-z 0-9 -
bool dns_subdomain(std::string_view x);  // such labels between dots, at most 253
bool qualified_name(std::string_view x); // [subdomain/]name: keys of labels
bool label_value(std::string_view x);    // empty, or at most 63
bool port_name(std::string_view x);      // at most 15 of a-z 0-9 -, one letter at least
bool variable_name(std::string_view x);  // printable ASCII but =
bool header_name(std::string_view x);    // of HTTP: RFC 9110's token

inline constexpr const char* dns_label_words =
    "at most 63 of a-z, 0-9 and -, beginning and ending with a letter or digit";
inline constexpr const char* dns_subdomain_words =
    "at most 253 of a-z, 0-9, - and ., each part beginning and ending with a letter or digit";
inline constexpr const char* qualified_name_words =
    "at most 63 of letters, digits, -, _ and ., beginning and ending with a letter or digit, after "
    "at most a domain and /";
inline constexpr const char* label_value_words =
    "at most 63 of letters, digits, -, _ and ., beginning and ending with a letter or digit";
inline constexpr const char* port_name_words =
    "at most 15 of a-z, 0-9 and single -, with at least one letter";
inline constexpr const char* variable_name_words = "printable ASCII without =";
inline constexpr const char* header_name_words =
    "an HTTP header's name: letters, digits and - such as X-Probe";

} // namespace legion::manifest
