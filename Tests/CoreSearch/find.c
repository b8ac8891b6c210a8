// Where any of many byte strings stands in a file: find FILE NEEDLES. NEEDLES has a line of hex digits for each, eight bytes
// at least; a hit is printed as its offset and the number of the line, from 0.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { SLOTS = 1 << 20, MOST = 1 << 17 };
static struct { unsigned char *bytes; size_t count; int next; } needles[MOST];
static int heads[SLOTS];

static uint32_t slot(const unsigned char *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return (uint32_t)(word * 0x9E3779B97F4A7C15u >> 44);
}

int main(int argc, char **argv) {
    if (argc != 3) return 64;
    memset(heads, -1, sizeof heads);
    FILE *file = fopen(argv[2], "r");
    char line[8192];
    int count = 0;
    while (file && fgets(line, sizeof line, file) && count < MOST) {
        size_t length = strcspn(line, "\n") / 2;
        unsigned char *bytes = malloc(length);
        for (size_t i = 0; i < length; i++) { unsigned v = 0; sscanf(line + 2 * i, "%2x", &v); bytes[i] = (unsigned char)v; }
        if (length < 8) return 65;
        uint32_t place = slot(bytes);
        needles[count].bytes = bytes; needles[count].count = length; needles[count].next = heads[place];
        heads[place] = count++;
    }
    int descriptor = open(argv[1], O_RDONLY);
    struct stat status;
    if (!file || descriptor < 0 || fstat(descriptor, &status)) { perror("find"); return 1; }
    size_t size = (size_t)status.st_size;
    const unsigned char *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED) { perror("find"); return 1; }
    for (size_t at = 0; at + 8 <= size; at++)
        for (int n = heads[slot(data + at)]; n >= 0; n = needles[n].next)
            if (needles[n].count <= size - at && !memcmp(data + at, needles[n].bytes, needles[n].count)) printf("%zu %d\n", at, n);
    return 0;
}
