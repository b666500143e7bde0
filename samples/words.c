// A program for WASI and for Linux alike: how often each word occurs in files, or in standard input, the most
// frequent first. WORDS_LEAST leaves rare ones out; a directory stands for all of its files.
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word {
  char* text;
  unsigned count;
  struct word* next;
};

enum { BUCKETS = 1 << 14 };
static struct word* buckets[BUCKETS];
static size_t word_count;

static void count(const char* text) {
  unsigned hash = 2166136261u;
  for (const char* at = text; *at; at++) hash = (hash ^ (unsigned char)*at) * 16777619u;
  struct word** bucket = &buckets[hash % BUCKETS];
  for (struct word* word = *bucket; word; word = word->next) {
    if (strcmp(word->text, text) == 0) {
      word->count++;
      return;
    }
  }
  struct word* word = malloc(sizeof *word);
  *word = (struct word){strdup(text), 1, *bucket};
  *bucket = word;
  word_count++;
}

static void count_all(FILE* file) {
  char text[256];
  size_t length = 0;
  for (int letter = getc(file);; letter = getc(file)) {
    if (letter != EOF && isalpha(letter)) {
      if (length < sizeof text - 1) text[length++] = (char)tolower(letter);
      continue;
    }
    text[length] = 0;
    if (length > 0) count(text);
    length = 0;
    if (letter == EOF) return;
  }
}

static int count_file(const char* path) {
  DIR* directory = opendir(path);
  if (directory) {
    int failed = 0;
    for (struct dirent* entry; (entry = readdir(directory));) {
      char below[1024];
      if (entry->d_name[0] == '.') continue;
      snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
      failed |= count_file(below);
    }
    closedir(directory);
    return failed;
  }
  FILE* file = fopen(path, "r");
  if (!file) {
    perror(path);
    return 1;
  }
  count_all(file);
  fclose(file);
  return 0;
}

static int compare(const void* a, const void* b) {
  const struct word *one = *(const struct word* const*)a, *other = *(const struct word* const*)b;
  if (one->count != other->count) return one->count < other->count ? 1 : -1;
  return strcmp(one->text, other->text);
}

int main(int argc, char** argv) {
  int failed = 0;
  if (argc < 2) count_all(stdin);
  for (int i = 1; i < argc; i++) failed |= count_file(argv[i]);
  struct word** words = malloc((word_count + 1) * sizeof *words);
  size_t length = 0;
  for (size_t i = 0; i < BUCKETS; i++)
    for (struct word* word = buckets[i]; word; word = word->next) words[length++] = word;
  qsort(words, length, sizeof *words, compare);
  const char* least = getenv("WORDS_LEAST");
  for (size_t i = 0; i < length && words[i]->count >= (unsigned)atoi(least ? least : "1"); i++)
    printf("%7u %s\n", words[i]->count, words[i]->text);
  return failed ? 3 : 0;
}
