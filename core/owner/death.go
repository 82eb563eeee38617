package owner

import (
	"fmt"
	"strings"

	"thornback/core/wire"
)

// Why actors end, in Ray's words where programs may look for them.
const (
	diedBy      = "The actor is dead because its worker process has died. "
	exitedBy    = diedBy + "Worker exit type: INTENDED_USER_EXIT Worker exit detail: Worker exits by an user request. Worker exits with an exit code 0."
	deathExit   = exitedBy + " exit_actor() is called."
	deathKilled = "The actor is dead because it was killed by `ray.kill`."
	deathScope  = "The actor is dead because all references to the actor were removed."
	deathName   = "The actor was not created because another actor has its name."
	deathScoped = "The actor is dead because the scope that it belongs to has ended."
	deathLate   = "The actor died because its constructor did not end by its deadline."
	deathInit   = "The actor died because its constructor raised an exception."
)

// deathOf words the end of an actor whose process ended by itself.
func deathOf(c Cause) Cause {
	return Cause{Message: diedBy + c.Message, Fields: c.Fields}
}

// actorFields adds what is known of an actor to the fields of an error.
func (m *Machine) actorFields(a *actor, c Cause, task string) map[string]string {
	f := c.fields("task", task, "actor_class", a.template.ClassName, "actor_id", fmt.Sprintf("%016x", uint64(a.object)))
	if a.template.ActorName != "" {
		f["name"] = a.template.ActorName
	}
	if a.template.Namespace != "" {
		f["namespace"] = a.template.Namespace
	}
	if f["pid"] == "" && a.pid > 0 {
		f["pid"] = fmt.Sprint(a.pid)
	}
	return f
}

// deathBlob is the error that a call to a dead actor gives.
func (m *Machine) deathBlob(a *actor, task string) []byte {
	if a.errBlob != nil {
		return a.errBlob
	}
	f := m.actorFields(a, a.death, task)
	if !a.began && a.restarts == 0 { // as Ray says it
		f["never_started"] = "true"
	}
	return wire.SysErr(wire.ErrActorDied, f)
}

// unavailableBlob is the error of a call that the death of an actor's process has interrupted, when the actor goes on in
// another one.
func (m *Machine) unavailableBlob(a *actor, task string, c Cause) []byte {
	c.Message = "The actor is temporarily unavailable: " + strings.TrimSuffix(c.Message, ".")
	if how := c.Fields["exit"]; how != "" {
		c.Message += " (" + how + ")"
	}
	return wire.SysErr(wire.ErrActorUnavailable, m.actorFields(a, c, task))
}
