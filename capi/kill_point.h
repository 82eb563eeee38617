/* kill_point.h - named steps of a worker's life at which a test has it die.
 *
 * The environment variable THORNBACK_TEST_KILL, STEP[:N[:FILE]], ends a worker by SIGKILL when it comes
 * to a step for the N-th time (1: the first). With FILE only one process dies: the one that makes the file,
 * whose name must not exist before. Without the variable a step costs a load and a jump.
 */
#ifndef XR_KILL_POINT_H
#define XR_KILL_POINT_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern int kill_armed; /* -1: the environment has not been looked at */

/* The step is called GROUP.STEP. */
void kill_point_reached(const char *group, const char *step);

static inline void kill_point(const char *group, const char *step)
{
    if (__builtin_expect(kill_armed != 0, 0)) {
        kill_point_reached(group, step);
    }
}

/* kill_point(group, step), for the steps of a worker that are written in Python. */
PyObject *kill_point_py(PyObject *module, PyObject *args);

#endif
