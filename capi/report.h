/* report.h - results of a task on their way to the node: xr_value, bytes and references, one after another. */
#ifndef XR_REPORT_H
#define XR_REPORT_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "buf.h"

typedef struct xr_report {
    size_t head;     /* bytes before the first value, which the sender fills */
    xr_buf bytes;    /* the message: its head and what follows it */
    xr_words stored; /* arena offsets that nobody owns unless the report is sent */
    xr_words kept;   /* Python references whose handles it mentions */
} xr_report;

/* All that return int give 0, or -1 with an exception; report_free is due in any case. */

int report_init(xr_report *r, size_t head);
/* Takes the results back, so that others can be written in their place. */
void report_reset(xr_report *r);
void report_free(xr_report *r);
int report_add_result(xr_report *r, PyObject *value);
/* The results of a task of type XR_TASK_*: none, the value itself, or the items of the object returned. */
int report_add_results(xr_report *r, PyObject *result, uint32_t returns, uint32_t type);
/* Takes the current exception as the outcome of all results. */
int report_add_error(xr_report *r, uint32_t returns);

#endif
