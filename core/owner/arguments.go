package owner

import (
	"strconv"

	"thornback/core/wire"
)

// argDependency is the kind of an argument that is a reference to be resolved (capi/codec.h).
const argDependency = 1

// argumentNames tells by which argument of the call each of n dependencies is meant: its place, from 1, or its keyword. Where
// the encoded arguments don't say, the dependencies are numbered.
func argumentNames(args []byte, n int) []string {
	names := make([]string, n)
	r := wire.NewReader(args)
	positional, keywords := r.U32(), r.U32()
	for i := uint32(0); !r.Failed() && i < positional; i++ {
		takeArgument(&r, names, func() string { return strconv.Itoa(int(i) + 1) })
	}
	for i := uint32(0); !r.Failed() && i < keywords; i++ {
		length := r.U32()
		r.U32()
		name := string(r.Padded(uint64(length)))
		takeArgument(&r, names, func() string { return name })
	}
	for i := range names {
		if names[i] == "" || r.Failed() {
			names[i] = strconv.Itoa(i + 1)
		}
	}
	return names
}

func takeArgument(r *wire.Reader, names []string, name func() string) {
	kind, length := r.U32(), r.U32()
	if kind != argDependency {
		r.Padded(uint64(length))
	} else if int(length) < len(names) && names[length] == "" {
		names[length] = name()
	}
}
