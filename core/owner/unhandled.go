package owner

import (
	"bytes"

	"thornback/core/slab"
	"thornback/core/wire"
)

// unseenMax bounds how many failed results are watched for being asked for; those beyond are taken to be.
const unseenMax = 100_000

// unseen are failed results that nobody has asked for yet, and what is to be told of those that nobody ever will.
type unseen struct {
	objects map[slab.Handle]struct{}
	told    [][]byte
}

// failedUnseen notes a result that is about to fail. As in Ray, only what the user's code raised counts, and a task's dead
// process: not the consequences of an error that was told before, such as a dead actor's, and not what the user has
// cancelled. What was let go before it fails is told when it does.
// Generators have two results for one error, so theirs don't count either.
func (m *Machine) failedUnseen(t *task, h slab.Handle, blob []byte) {
	tmpl := m.templates[t.template]
	code, engine := wire.SysErrCode(blob)
	if tmpl.Type == wire.TaskCreate || tmpl.Stream || t.cancel != 0 {
		return
	}
	if len(blob) == 0 || engine && code != wire.ErrWorkerCrashed || len(m.unseen.objects) >= unseenMax {
		return
	}
	if m.unseen.objects == nil {
		m.unseen.objects = map[slab.Handle]struct{}{}
	}
	m.unseen.objects[h] = struct{}{}
}

// Saw says that somebody has got an object that has failed, or has waited for it.
func (m *Machine) Saw(h uint64) { delete(m.unseen.objects, slab.Handle(h)) }

// goneUnseen says that nobody can ask for a failed result any more.
func (m *Machine) goneUnseen(h slab.Handle, o *object) {
	if _, ok := m.unseen.objects[h]; ok {
		delete(m.unseen.objects, h)
		if o.where == wire.WhereInline {
			m.unseen.told = append(m.unseen.told, bytes.Clone(m.valueOf(o).Bytes))
		}
	}
}

// Unhandled returns the errors of results that were let go without anybody having asked for them, each once.
func (m *Machine) Unhandled() [][]byte {
	if len(m.unseen.told) == 0 {
		return nil
	}
	told := m.unseen.told
	m.unseen.told = nil
	return told
}
