#pragma once
// A library that is loaded before all others (LD_PRELOAD), and whose wall clock goes as a file says: SKEWED_CLOCK_FILE holds
// eight bytes, a little endian number of milliseconds that the clock is ahead. The monotonic clock is nobody's business.
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *time);
