package nearest

import "testing"

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"pt", "pt", 0}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"eta", "beta", 1}, {"phi", "pih", 1}, {"train", "trian", 1}, {"ca", "abc", 3},
	} {
		if ab, ba := distance(c.a, c.b), distance(c.b, c.a); ab != c.want || ba != c.want {
			t.Errorf("from %q to %q it is %d, back %d; want %d", c.a, c.b, ab, ba, c.want)
		}
	}
}

func TestHint(t *testing.T) {
	known := []string{"muon_pt", "muon_eta", "jet.pt", "MET"}
	for name, want := range map[string]string{
		"muon_pT": `; did you mean "muon_pt"?`,
		"met":     `; did you mean "MET"?`,
		"pt":      `; did you mean "jet.pt"?`,
		"nothing": "",
	} {
		if got := Hint(name, known); got != want {
			t.Errorf("Hint(%q) = %q, want %q", name, got, want)
		}
	}
}
