package node

import (
	"encoding/json"
	"fmt"
)

// kvRequest is the request of all kv.* operations; each uses some of it. Go's JSON carries bytes as base64.
type kvRequest struct {
	Namespace []byte `json:"namespace"`
	Key       []byte `json:"key"`
	Value     []byte `json:"value"`
	Overwrite bool   `json:"overwrite"`
	Prefix    bool   `json:"prefix"`
	After     []byte `json:"after"`
}

func kvOf(op string, request json.RawMessage) (kvRequest, error) {
	var r kvRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return r, fmt.Errorf("node: %s: %w", op, err)
	}
	return r, nil
}

func (n *Node) controlKVPut(request json.RawMessage) (any, error) {
	r, err := kvOf("kv.put", request)
	if err != nil {
		return nil, err
	}
	existed, err := n.kv.Put(string(r.Namespace), string(r.Key), r.Value, r.Overwrite)
	return map[string]any{"existed": existed}, err
}

func (n *Node) controlKVGet(request json.RawMessage) (any, error) {
	r, err := kvOf("kv.get", request)
	if err != nil {
		return nil, err
	}
	value, ok := n.kv.Get(string(r.Namespace), string(r.Key))
	return map[string]any{"exists": ok, "value": value}, nil
}

func (n *Node) controlKVDelete(request json.RawMessage) (any, error) {
	r, err := kvOf("kv.delete", request)
	if err != nil {
		return nil, err
	}
	return map[string]any{"deleted": n.kv.Delete(string(r.Namespace), string(r.Key), r.Prefix)}, nil
}

func (n *Node) controlKVList(request json.RawMessage) (any, error) {
	r, err := kvOf("kv.list", request)
	if err != nil {
		return nil, err
	}
	keys, more := n.kv.List(string(r.Namespace), string(r.Key), string(r.After))
	encoded := make([][]byte, len(keys))
	for i, k := range keys {
		encoded[i] = []byte(k)
	}
	return map[string]any{"keys": encoded, "more": more}, nil
}
