#include "crew.h"

#include "errors.h"
#include "state.h"

#include <stdlib.h>
#include <string.h>

xr_crew C;

/* ---- jobs ---- */

/* A call of its own, out of a record that is claimed. Returns NULL with an exception. */
static xr_job *job_new(const xr_record *record, const uint8_t *payload, size_t length)
{
    int is_indirect = (record->flags & XR_RECORD_INDIRECT) != 0; /* the node keeps that until the call ends */
    xr_job *job = malloc(sizeof *job + (is_indirect ? 0 : length));
    if (job == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *job = (xr_job){.payload = payload, .length = length};
    if (!is_indirect) {
        job->payload = memcpy(job + 1, payload, length);
    }
    if (task_parse(job->payload, length, &job->task) < 0) {
        task_clear(&job->task);
        free(job);
        return NULL;
    }
    uint32_t group = job->task.m.group;
    job->group = &C.groups[group < C.n ? group : 0];
    job->after = C.jobs;
    if (C.jobs != NULL) {
        C.jobs->before = job;
    }
    C.jobs = job;
    return job;
}

static void job_free(xr_job *job)
{
    if (job->after != NULL) {
        job->after->before = job->before;
    }
    *(job->before != NULL ? &job->before->after : &C.jobs) = job->after;
    Py_XDECREF(job->steps);
    task_clear(&job->task);
    free(job);
}

xr_job *crew_take(void)
{
    xr_consumer *ring = &W.channel.task;
    for (;;) {
        int corrupt;
        const uint8_t *payload;
        size_t length;
        xr_record *record = consumer_next(ring, &corrupt);
        if (record == NULL) {
            if (corrupt) {
                worker_corrupt("the task ring is malformed");
            }
            return NULL;
        }
        int is_task = worker_open(record, &payload, &length);
        if (is_task < 0) {
            return NULL;
        }
        if (is_task) {
            xr_job *job = job_new(record, payload, length);
            consumer_advance(ring, record);
            return job;
        }
    }
}

void crew_queue(xr_job *job)
{
    xr_group *g = job->group;
    *(g->first != NULL ? &g->last->next : &g->first) = job;
    g->last = job;
}

xr_job *crew_unqueue(xr_group *g)
{
    xr_job *job = g->first;
    if (job != NULL) {
        g->first = job->next;
        job->next = NULL;
    }
    return job;
}

void crew_begun(xr_job *job)
{
    job->is_begun = 1;
    job->group->running++;
    C.running++;
}

void crew_ended(xr_job *job, int rc)
{
    job->group->running--;
    C.running--;
    if (rc < 0) {
        PyObject *end = errors_take();
        if (C.end == NULL) {
            C.end = Py_NewRef(end);
        }
        Py_XDECREF(end);
    }
    job_free(job);
    if (crew_is_over()) {
        crew_wake();
    }
}

/* ---- cancelling ---- */

/* Takes a call out of its group's queue and reports that it was cancelled. */
static void cancel_queued(xr_job *job)
{
    xr_job **at = &job->group->first, *before = NULL;
    while (*at != job) {
        before = *at;
        at = &before->next;
    }
    *at = job->next;
    job->group->last = job->next == NULL ? before : job->group->last;
    crew_begun(job);
    running_enter(&job->task.running); /* for the error's words */
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    int rc = task_report(&job->task, NULL, 0, 0);
    running_leave(&job->task.running);
    crew_ended(job, rc);
}

static void cancel_steps(xr_job *job)
{
    job->task.running.is_cancelled = 1; /* its first step looks */
    if (job->steps != NULL) {
        PyObject *module = PyImport_ImportModule("thornback._concurrency");
        PyObject *result = module != NULL ? PyObject_CallMethod(module, "cancel", "O", job->steps) : NULL;
        if (result == NULL) {
            PyErr_WriteUnraisable(job->steps); /* its loop is closed */
        }
        Py_XDECREF(module);
        Py_XDECREF(result);
    }
}

int crew_cancel(uint64_t task)
{
    PyObject *type, *value, *traceback;
    xr_job *job = C.jobs;
    while (job != NULL && job->task.m.task != task) {
        job = job->after;
    }
    if (job == NULL || (job->is_begun && !C.is_async)) {
        return 0;
    }
    PyErr_Fetch(&type, &value, &traceback); /* this may come in the middle of anything */
    if (job->is_begun) {
        cancel_steps(job);
    } else {
        cancel_queued(job);
    }
    PyErr_Restore(type, value, traceback);
    return 1;
}

/* ---- the end ---- */

int crew_stops(void)
{
    return W.exit_asked || W.leaving || C.end != NULL;
}

int crew_is_over(void)
{
    return C.running == 0 && crew_stops();
}

/* ---- set-up ---- */

/* How this actor works, by the control operation of the node.
 * Returns 0 with C's groups made and new references to the names; -1 with an exception. */
static int learn(uint32_t tid, PyObject **names)
{
    PyObject *module = PyImport_ImportModule("thornback._concurrency");
    PyObject *answer = module != NULL ? PyObject_CallMethod(module, "ask", "I", tid) : NULL;
    PyObject *limits;
    int rc = -1;
    *names = NULL;
    if (answer != NULL && PyArg_ParseTuple(answer, "pO!O!", &C.is_async, &PyList_Type, &limits, &PyList_Type, names)) {
        Py_INCREF(*names);
        C.n = (uint32_t)PyList_Size(limits);
        C.groups = calloc(C.n + 1, sizeof *C.groups);
        rc = C.groups != NULL && C.n > 0 ? 0 : -1;
        for (uint32_t i = 0; rc == 0 && i < C.n; i++) {
            C.groups[i].limit = (uint32_t)PyLong_AsUnsignedLong(PyList_GetItem(limits, i));
            rc = PyErr_Occurred() || C.groups[i].limit == 0 ? -1 : 0;
        }
        if (rc < 0 && !PyErr_Occurred()) {
            worker_corrupt("the node gave wrong limits of concurrency");
        }
    }
    Py_XDECREF(answer);
    Py_XDECREF(module);
    return rc;
}

/* Serves with what the creation, claimed and in the ring, asks for. */
static int serve(const xr_record *record, const uint8_t *payload, size_t length, PyObject *names)
{
    if (C.is_async) {
        xr_job *first = job_new(record, payload, length);
        consumer_advance(&W.channel.task, record);
        return first != NULL ? crew_serve_loops(first, names) : -1;
    }
    /* The constructor runs in the main thread, as if the actor was an ordinary one. */
    return task_run(payload, length, record) < 0 ? -1 : crew_serve_threads();
}

int crew_serve(const uint8_t *payload, size_t length, const xr_record *record)
{
    PyObject *names;
    xr_msg_task m;
    memcpy(&m, payload, sizeof m);
    int rc = learn(m.tid, &names);
    if (rc == 0) {
        rc = serve(record, payload, length, names);
    }
    Py_XDECREF(names);
    W.exit_asked = 1; /* a crew serves until the end */
    if (rc == 0 && C.end != NULL) {
        rc = errors_throw(C.end);
        C.end = NULL;
    }
    return rc;
}
