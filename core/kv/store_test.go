package kv

import (
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"
)

func TestPutGetDelete(t *testing.T) {
	s := New()
	put := func(key, value string, overwrite, existed bool) {
		t.Helper()
		got, err := s.Put("n", key, []byte(value), overwrite)
		if err != nil || got != existed {
			t.Fatalf("Put(%q) = %v, %v; want %v", key, got, err, existed)
		}
	}
	put("a", "1", true, false)
	put("a", "2", false, true)
	if v, ok := s.Get("n", "a"); !ok || string(v) != "1" {
		t.Fatalf("kept %q, want 1: overwrite was false", v)
	}
	put("a", "3", true, true)
	put("ab", "4", true, false)
	put("b", "5", true, false)
	if _, ok := s.Get("other", "a"); ok {
		t.Fatal("namespaces share keys")
	}
	if keys, more := s.List("n", "a", ""); fmt.Sprint(keys) != "[a ab]" || more {
		t.Fatalf("List = %v, %v", keys, more)
	}
	if n := s.Delete("n", "a", true); n != 2 {
		t.Fatalf("Delete by prefix = %d, want 2", n)
	}
	if n := s.Delete("n", "a", false); n != 0 {
		t.Fatalf("Delete of nothing = %d", n)
	}
	if n := s.Delete("n", "b", false); n != 1 || s.Bytes() != 0 {
		t.Fatalf("Delete = %d, %d bytes left", n, s.Bytes())
	}
}

func TestValueIsCopied(t *testing.T) {
	s, value := New(), []byte("x")
	if _, err := s.Put("", "k", value, true); err != nil {
		t.Fatal(err)
	}
	value[0] = 'y'
	if v, _ := s.Get("", "k"); string(v) != "x" {
		t.Fatalf("value changed to %q", v)
	}
}

func TestLimits(t *testing.T) {
	s := New()
	for name, call := range map[string]func() (bool, error){
		"key":   func() (bool, error) { return s.Put("", strings.Repeat("k", KeyBytesMax+1), nil, true) },
		"value": func() (bool, error) { return s.Put("", "k", make([]byte, ValueBytesMax+1), true) },
	} {
		if _, err := call(); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v, want ErrLimit", name, err)
		}
	}
	value := make([]byte, ValueBytesMax)
	i := 0
	for ; i < 2*TotalBytesMax/ValueBytesMax; i++ {
		if _, err := s.Put("", fmt.Sprint(i), value, true); err != nil {
			if !errors.Is(err, ErrLimit) {
				t.Fatal(err)
			}
			break
		}
	}
	if s.Bytes() > TotalBytesMax || i < TotalBytesMax/ValueBytesMax-2 {
		t.Fatalf("%d bytes after %d values", s.Bytes(), i)
	}
	s.Delete("", "", true)
	if s.Bytes() != 0 {
		t.Fatalf("%d bytes in an empty table", s.Bytes())
	}
}

func TestListPages(t *testing.T) {
	s := New()
	const n = 5000
	for i := range n {
		if _, err := s.Put("", fmt.Sprintf("key-%05d", i), nil, true); err != nil {
			t.Fatal(err)
		}
	}
	got, after, pages := 0, "", 0
	for more := true; more; pages++ {
		var keys []string
		keys, more = s.List("", "key-", after)
		for _, k := range keys {
			if k <= after {
				t.Fatalf("%q after %q", k, after)
			}
			after = k
		}
		got += len(keys)
	}
	if got != n || pages < 3 {
		t.Fatalf("%d keys in %d pages", got, pages)
	}
}

// The count of bytes stays right after any sequence.
func TestBytesProperty(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	s, model := New(), map[string]string{}
	for range 20_000 {
		key := fmt.Sprint(random.Intn(50))
		switch random.Intn(4) {
		case 0:
			s.Delete("n", key, false)
			delete(model, key)
		case 1:
			if random.Intn(100) == 0 {
				s.Delete("n", key, true)
				for k := range model {
					if strings.HasPrefix(k, key) {
						delete(model, k)
					}
				}
			}
		default:
			value := strings.Repeat("v", random.Intn(100))
			overwrite := random.Intn(2) == 0
			if _, had := model[key]; !had || overwrite {
				model[key] = value
			}
			if _, err := s.Put("n", key, []byte(value), overwrite); err != nil {
				t.Fatal(err)
			}
		}
		want := 0
		for k, v := range model {
			want += 1 + len(k) + len(v)
			if got, _ := s.Get("n", k); string(got) != v {
				t.Fatalf("%s = %q, want %q", k, got, v)
			}
		}
		if s.Bytes() != want {
			t.Fatalf("%d bytes, want %d", s.Bytes(), want)
		}
	}
}
