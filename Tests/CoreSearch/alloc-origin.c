/* Preloaded into a process whose core is to be searched: notes before each block of memory who asked for it, so
 * that a key found in the heap can be told to be the token library's own. The note lies 32 bytes before the block,
 * behind the words that the allocator itself uses for free blocks, and stays when the block is freed. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void __libc_free(void *);
extern void *__libc_memalign(size_t, size_t);

struct note {
  uint64_t unused[2];
  char mark[8];
  uint64_t size;
  void *caller;
  uint64_t freed;
};

static const char mark[8] = {'A', 'L', 'L', 'O', 'C', 'B', 'Y', ':'};

static struct note *note_of(void *block) {
  struct note *note = (struct note *)((char *)block - sizeof(struct note));
  return memcmp(note->mark, mark, sizeof mark) == 0 && note->freed == 0 ? note : NULL;
}

static void *allocate(size_t size, void *caller) {
  struct note *note = __libc_malloc(size + sizeof *note);
  if (note == NULL) return NULL;
  memcpy(note->mark, mark, sizeof mark);
  note->size = size;
  note->caller = caller;
  note->freed = 0;
  return note + 1;
}

void *malloc(size_t size) { return allocate(size, __builtin_return_address(0)); }

void *calloc(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / 2 / size) {
    errno = ENOMEM;
    return NULL;
  }
  void *block = allocate(count * size, __builtin_return_address(0));
  if (block != NULL) memset(block, 0, count * size);
  return block;
}

void free(void *block) {
  if (block == NULL) return;
  struct note *note = note_of(block);
  if (note == NULL) {
    __libc_free(block);
    return;
  }
  note->freed = 1;
  __libc_free(note);
}

void *realloc(void *block, size_t size) {
  void *caller = __builtin_return_address(0);
  if (block == NULL) return allocate(size, caller);
  void *fresh = allocate(size, caller);
  if (fresh == NULL) return NULL;
  size_t old = malloc_usable_size(block);
  memcpy(fresh, block, old < size ? old : size);
  free(block);
  return fresh;
}

void *memalign(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = __libc_memalign(alignment, size);
  return *block == NULL ? ENOMEM : 0;
}

size_t malloc_usable_size(void *block) {
  if (block == NULL) return 0;
  struct note *note = note_of(block);
  if (note != NULL) return note->size;
  /* A block of memalign: the word before it is the allocator's size, its lowest bits are flags. */
  return (((size_t *)block)[-1] & ~(size_t)7) - sizeof(size_t);
}
