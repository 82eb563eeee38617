/* kill_point.c - see kill_point.h. */
#include "kill_point.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int kill_armed = -1;

static struct {
    char step[64], file[256];
    long count; /* times that it is still passed */
} kill_at;

static void look(void)
{
    const char *text = getenv("THORNBACK_TEST_KILL");
    kill_armed = 0;
    if (text == NULL || text[0] == '\0') {
        return;
    }
    kill_at.count = 1;
    const char *colon = strchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : strlen(text);
    if (length >= sizeof kill_at.step) {
        return;
    }
    memcpy(kill_at.step, text, length);
    if (colon != NULL) {
        kill_at.count = strtol(colon + 1, NULL, 10);
        colon = strchr(colon + 1, ':');
    }
    if (colon != NULL) {
        snprintf(kill_at.file, sizeof kill_at.file, "%s", colon + 1);
    }
    kill_armed = 1;
}

void kill_point_reached(const char *group, const char *step)
{
    if (kill_armed < 0) {
        look();
    }
    size_t length = strlen(group);
    if (!kill_armed || strncmp(kill_at.step, group, length) != 0 || kill_at.step[length] != '.' ||
        strcmp(kill_at.step + length + 1, step) != 0 || --kill_at.count > 0) {
        return;
    }
    if (kill_at.file[0] != '\0') {
        int fd = open(kill_at.file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0) {
            kill_armed = 0; /* another process has died for it */
            return;
        }
        close(fd);
    }
    raise(SIGKILL);
}

PyObject *kill_point_py(PyObject *module, PyObject *args)
{
    (void)module;
    const char *group, *step;
    if (!PyArg_ParseTuple(args, "ss:kill_point", &group, &step)) {
        return NULL;
    }
    kill_point(group, step);
    Py_RETURN_NONE;
}
