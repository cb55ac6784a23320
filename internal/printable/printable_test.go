package printable

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestText(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "pT [GeV]": "pT [GeV]", "Größe η φ ✓ 粒子": "Größe η φ ✓ 粒子",
		"a\x1b[31mb": `a\u001b[31mb`, "a\nb\tc\r": `a\u000ab\u0009c\u000d`, "\x00\x7f": `\u0000\u007f`,
		"\u009b31m": `\u009b31m`, "\x9b31m": `\ufffd31m`, "a\u202eb\u2066": `a\u202eb\u2066`, "\u2028": `\u2028`,
	} {
		if got := Text(s); got != want {
			t.Errorf("%q becomes %q, want %q", s, got, want)
		}
	}
}

// TestWriter writes a text, and one of JSON.
func TestWriter(t *testing.T) {
	const text, want = "η\tφ \x1b[2J 粒\nδ\u009b\xff", "η\tφ \\u001b[2J 粒\nδ\\u009b\\ufffd"
	var b bytes.Buffer
	if n, err := (Writer{To: &b}).Write([]byte(text)); n != len(text) || err != nil || b.String() != want {
		t.Errorf("%q, %d, %v; want %q", b.String(), n, err, want)
	}
	name := "a\u009b\x1b\x7f\nb\u202e"
	b.Reset()
	if err := json.NewEncoder(Writer{To: &b}).Encode(name); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got != name {
		t.Errorf("JSON of %q comes out as %q, %v", name, got, err)
	}
}
