#pragma once

#include <string>

#include "messages/random.hpp"
#include "messages/resource.pb.h"

namespace legion::keeper {

/// The template that a resource's replicas are made from; a bare Pod is its own.
pod_template template_of(const resource& x);

/// How many replicas the author wants.
int wanted_of(const resource& x);

/// 10 characters that tell templates apart, from the alphabet that Kubernetes uses for hashes (no
/// vowels, nothing that looks like something else).
std::string revision_of(const resource& x);

/// What the names of a Deployment's pods begin with, up to the revision.
std::string pod_stem(std::string name);

/// 5 random characters of the same alphabet.
std::string random_suffix(seeded_random& random);

} // namespace legion::keeper
