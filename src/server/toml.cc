// The parser of toml++, compiled once.
#define TOML_IMPLEMENTATION
#include "server/toml.h"
