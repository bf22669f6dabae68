// How fast a model's disk reads, measured as the expert cache reads: the limit that `tetrad bench` compares with.
#pragma once

#include <cstddef>

#include "checkpoint/checkpoint.h"

namespace tetrad {

// GB/s over `seconds`: reads of a MiB, eight in a row at random places of the shards, past the page cache, as many at
// once as the cache has. 0 when the shards can't be read so, or are small.
double disk_read_gbs(const Checkpoint& checkpoint, double seconds);

}  // namespace tetrad
