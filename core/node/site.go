package node

import (
	"encoding/json"
	"fmt"

	"thornback/core/wire"
)

// sitesMax is how many places in the program are known; objects of others have none.
const sitesMax = 1 << 16

// siteBytesMax is the longest text of a place.
const siteBytesMax = 4 << 10

// sites are the places where objects are created, by number. Those that the extension knows by itself come first.
type sites struct {
	texts  []string
	byText map[string]int
}

func newSites() *sites {
	s := &sites{byText: map[string]int{}}
	for _, text := range []string{"unknown", "(put object)", "(large argument)"} {
		s.number(text)
	}
	return s
}

// number returns the number of a place; 0 when there are too many.
func (s *sites) number(text string) int {
	if i, ok := s.byText[text]; ok {
		return i
	}
	if len(s.texts) == sitesMax {
		return 0
	}
	s.texts = append(s.texts, text)
	s.byText[text] = len(s.texts) - 1
	return len(s.texts) - 1
}

// text words a place.
func (s *sites) text(number uint16) string {
	if int(number) < len(s.texts) {
		return s.texts[number]
	}
	return s.texts[0]
}

// controlSite numbers a place of the program, for a process that creates objects there.
func (n *Node) controlSite(request json.RawMessage) (any, error) {
	var r struct {
		Kind  string `json:"kind"` // call or put
		TID   uint32 `json:"tid"`
		Place string `json:"place"` // file, function, and perhaps line
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: site: %w", err)
	}
	if len(r.Place) > siteBytesMax {
		r.Place = r.Place[:siteBytesMax]
	}
	if r.Kind == "put" {
		return n.sites.number("(put object) | " + r.Place), nil
	}
	t, ok := n.m.Template(r.TID)
	if !ok {
		return nil, fmt.Errorf("node: site: no template %d", r.TID)
	}
	kinds := [...]string{wire.TaskPlain: "task", wire.TaskCreate: "actor creation", wire.TaskMethod: "actor"}
	return n.sites.number(fmt.Sprintf("(%s call) %s | %s", kinds[t.Type], taskName(t), r.Place)), nil
}
