/* site.c - where in the program objects are created. */
#include "site.h"

#include "state.h"

#include <stdlib.h>
#include <string.h>

#define XR_SITES 1024          /* a power of two */
#define XR_SITES_USED_MAX 768u /* then all are forgotten, and found again */
#define XR_SITE_MAX 0xFFFFu    /* what SUBMIT has room for */

typedef struct xr_site {
    PyObject *code; /* held, so that no other code gets its address; NULL: free */
    uint32_t tid, number;
} xr_site;

static xr_site sites[XR_SITES];
static uint32_t used;
static uint64_t session;    /* that the numbers are of */
static PyObject *number_of; /* thornback._sites.number */
static int exact = -1;      /* the user wants lines; -1: not looked yet */

static void forget(void)
{
    for (size_t i = 0; i < XR_SITES; i++) {
        Py_CLEAR(sites[i].code);
    }
    used = 0;
    session = S.session;
}

static int is_exact(void)
{
    if (exact < 0) {
        const char *wish = getenv("RAY_record_ref_creation_sites");
        exact = wish != NULL && (strcmp(wish, "1") == 0 || strcmp(wish, "true") == 0);
    }
    return exact;
}

/* Asks Python, which walks the frames. Returns the number, or minus it when it must be asked again next
 * time, because the caller is a function of this package. 0 for whatever goes wrong. */
static long ask(const char *kind, uint32_t tid, int line)
{
    PyObject *type, *value, *trace, *answer = NULL;
    PyErr_Fetch(&type, &value, &trace);
    if (number_of == NULL) {
        PyObject *module = PyImport_ImportModule("thornback._sites");
        number_of = module != NULL ? PyObject_GetAttrString(module, "number") : NULL;
        Py_XDECREF(module);
    }
    if (number_of != NULL) {
        answer = PyObject_CallFunction(number_of, "sIi", kind, tid, line);
    }
    long number = answer != NULL ? PyLong_AsLong(answer) : 0;
    Py_XDECREF(answer);
    if (PyErr_Occurred()) {
        PyErr_Clear(); /* a call must not fail for want of a name for its place */
        number = 0;
    }
    PyErr_Restore(type, value, trace);
    return number;
}

static uint32_t checked(long number)
{
    number = number < 0 ? -number : number;
    return number <= (long)XR_SITE_MAX ? (uint32_t)number : XR_SITE_UNKNOWN;
}

uint32_t site_of_call(uint32_t tid)
{
    if (is_exact()) {
        return checked(ask("call", tid, 1));
    }
    PyFrameObject *frame = PyEval_GetFrame();
    if (frame == NULL) {
        return XR_SITE_UNKNOWN;
    }
    if (session != S.session || used >= XR_SITES_USED_MAX) {
        forget();
    }
    PyObject *code = (PyObject *)PyFrame_GetCode(frame);
    size_t i = (((uintptr_t)code >> 5) ^ (tid * 0x9E3779B1u)) & (XR_SITES - 1);
    for (; sites[i].code != NULL; i = (i + 1) & (XR_SITES - 1)) {
        if (sites[i].code == code && sites[i].tid == tid) {
            Py_DECREF(code);
            return sites[i].number;
        }
    }
    long number = ask("call", tid, 0);
    if (number > 0 && sites[i].code == NULL) { /* asking may have filled the place */
        sites[i] = (xr_site){Py_NewRef(code), tid, checked(number)};
        used++;
    }
    Py_DECREF(code);
    return checked(number);
}

uint32_t site_of_put(uint64_t bytes)
{
    if (bytes <= XR_INLINE_MAX && !is_exact()) {
        return XR_SITE_PUT;
    }
    return checked(ask("put", 0, 1));
}
