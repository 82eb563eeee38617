package wire

import (
	"encoding/binary"
	"encoding/json"
)

// SysErr makes the blob of an error that the engine itself reports. Fields are what it knows, by the names that
// python/thornback/_exceptions.py reads; "message" is the text.
func SysErr(code uint32, fields map[string]string) []byte {
	text, err := json.Marshal(fields)
	if err != nil { // strings always marshal
		panic("wire: " + err.Error())
	}
	b := make([]byte, 8, 8+len(text))
	b[0] = TagSysErr
	binary.LittleEndian.PutUint32(b[4:], code)
	return append(b, text...)
}

// SysErrCode returns the code of such a blob; false for any other.
func SysErrCode(blob []byte) (uint32, bool) {
	if len(blob) < 8 || blob[0] != TagSysErr {
		return 0, false
	}
	return binary.LittleEndian.Uint32(blob[4:]), true
}

// IsError reports whether a blob is an error, by its first byte.
func IsError(blob []byte) bool {
	return len(blob) > 0 && (blob[0] == TagError || blob[0] == TagSysErr)
}
