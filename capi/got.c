#include "engine.h"

#include <stdlib.h>

int got_init(xr_got *got, size_t n)
{
    got->count = 0;
    got->keep_items = got->keep_bytes = NULL;
    got->items = &got->one;
    if (n > 1) {
        got->keep_items = calloc(n, sizeof(xr_item));
        got->items = got->keep_items;
        if (got->items == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

void got_free(xr_got *got)
{
    free(got->keep_items);
    free(got->keep_bytes);
    got->keep_items = got->keep_bytes = NULL;
}
