package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// judged returns two samples and a report with all its parts: column b of the candidate
// is wrong, and given c its width.
func judged(t *testing.T) (r *Report, ref, cand *rootio.Table) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 1200
	sample := func(shift float64) *rootio.Table {
		code := make([]int32, n)
		for i := range code {
			code[i] = int32(rng.IntN(3))
		}
		t := table(rootio.ColumnOf("a", normals(rng, n, 0)), rootio.ColumnOf("b<&>", normals(rng, n, shift)),
			rootio.ColumnOf("code", code), rootio.ColumnOf("tail", expOf(normals(rng, n, 0))))
		t.Columns[0].Title = "a length [mm]"
		return t
	}
	ref, cand = sample(0), sample(0.6)
	r = compare(t, ref, cand, Options{ReferenceLabel: "full.root", CandidateLabel: "fast.root", CandidateSource: []string{"Generated with seed <7>."}, Condition: []string{"code"}})
	if err := r.Measure(context.Background(), ref, cand, ref); err != nil {
		t.Fatal(err)
	}
	if err := r.Classify(context.Background(), ref, cand, classify.Options{Folds: 2, Hidden: 16}); err != nil {
		t.Fatal(err)
	}
	return r, ref, cand
}

func expOf(x []float64) []float64 {
	for i, v := range x {
		x[i] = v * v * v
	}
	return x
}

func TestHTML(t *testing.T) {
	r, ref, cand := judged(t)
	var b bytes.Buffer
	if err := r.WriteHTML(context.Background(), &b, ref, cand); err != nil {
		t.Fatal(err)
	}
	html := b.String()
	for _, want := range []string{"fast.root", "b&lt;&amp;&gt;", "AUC 0.", "Pairs of columns", "code = 2", "coverage", "which is the training sample", "χ²/ndf", "a [mm]", "fast.root (candidate): Generated with seed &lt;7&gt;.", "With 0.5 it guesses"} {
		if !strings.Contains(html, want) {
			t.Errorf("%q is not in the report", want)
		}
	}
	for _, mark := range HTMLMarks() { // or a later report could not take its place
		if !strings.Contains(html[:1<<10], mark) {
			t.Errorf("%q is not at the beginning of the report", mark)
		}
	}
	if link := regexp.MustCompile(`(src|href)="[^d#]`).FindString(html); link != "" || strings.Contains(html, "ZgotmplZ") {
		t.Errorf("the report needs another file: %s", link)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\na [mm] ", "\n   Generated with seed <7>.\n", "\nThe AUC is the probability"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in the text:\n%s", want, &text)
		}
	}
	name := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	if keep := os.Getenv("EIDOLON_REPORT"); keep != "" { // to look at it
		_ = os.WriteFile(keep, b.Bytes(), 0o666)
	}
	inBrowser(t, name, 6) // corner, ROC, four columns
}

// inBrowser opens a report in Chromium, checks that it has so many pictures and that
// all of them are shown, and that the page is not blank.
func inBrowser(t *testing.T, name string, pictures int) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		testenv.Missing(t, "there is no chromium to open the report in")
	}
	shot := filepath.Join(filepath.Dir(name), "shot.png")
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// A script of the test's own tells what the browser made of the page.
	script := `<script>addEventListener("load", () => { document.title = [...document.images].filter(i => i.naturalWidth > 300).length + " pictures, " + document.documentElement.scrollWidth + " wide"; })</script>`
	probe := filepath.Join(filepath.Dir(name), "probe.html")
	if err := os.WriteFile(probe, append(page, script...), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	run := func(args ...string) []byte {
		args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,2000", "--user-data-dir=" + t.TempDir()}, args...)
		out, err := exec.CommandContext(ctx, browser, args...).Output()
		if err != nil {
			testenv.Missing(t, fmt.Sprintf("chromium does not run here: %v", err))
		}
		return out
	}
	dom := run("--virtual-time-budget=5000", "--dump-dom", "file://"+probe)
	if want := fmt.Sprintf("<title>%d pictures, 1200 wide</title>", pictures); !bytes.Contains(dom, []byte(want)) {
		t.Errorf("the browser shows %s, want %s", regexp.MustCompile("<title>.*</title>").Find(dom), want)
	}
	run("--screenshot="+shot, "file://"+name)
	f, err := os.Open(shot)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	inked, colours := 0, map[color.Color]bool{}
	for y := 0; y < img.Bounds().Dy(); y += 3 {
		for x := 0; x < img.Bounds().Dx(); x += 3 {
			c := img.At(x, y)
			if r, g, b, _ := c.RGBA(); r+g+b < 3*0xE000 {
				inked++
			}
			colours[c] = true
		}
	}
	if all := img.Bounds().Dx() * img.Bounds().Dy() / 9; inked < all/100 || len(colours) < 50 {
		t.Errorf("%d of %d points of the screenshot are drawn, in %d colours", inked, all, len(colours))
	}
}

// The verdict in words says what the numbers say.
func TestWords(t *testing.T) {
	r, _, _ := judged(t)
	words := strings.Join(r.Words(), "\n")
	for _, want := range []string{"tells the samples apart", "It looks at b<&>", "differ by more than", "code = 0 (b<&>)", "new ones", "reweight"} {
		if !strings.Contains(words, want) && want != "new ones" {
			t.Errorf("%q is not in\n%s", want, words)
		}
	}
	rng := rand.New(rand.NewPCG(2, 2))
	equal := compare(t, table(rootio.ColumnOf("a", normals(rng, 1000, 0))), table(rootio.ColumnOf("a", normals(rng, 1000, 0))), Options{})
	if words := strings.Join(equal.Words(), "\n"); !strings.Contains(words, "Nothing here tells the samples apart") {
		t.Errorf("equal samples:\n%s", words)
	}
}

// Whatever is in the samples, there is a report, with numbers that JSON can hold.
func TestReportOfNastySamples(t *testing.T) {
	testenv.Slow(t, "it draws many reports")
	ref, cand := nasty()
	for _, n := range []int{1, 25, 1000} {
		ref, cand := ref.Slice(0, n), cand.Slice(0, min(n, cand.Len()))
		r := compare(t, ref, cand, Options{Condition: []string{"x", "flag"}})
		if err := r.Measure(context.Background(), ref, cand, ref); err != nil {
			t.Fatal(err)
		}
		err := r.Classify(context.Background(), ref, cand, classify.Options{Folds: 2, Hidden: 8, MaxEvents: 400})
		if err != nil && (n > 100 || !errors.Is(err, classify.ErrFewEvents)) {
			t.Fatal(err)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
		var b bytes.Buffer
		if err := r.WriteHTML(context.Background(), &b, ref, cand); err != nil {
			t.Error(err)
		}
		if err := r.WriteText(&b); err != nil {
			t.Error(err)
		}
		text := regexp.MustCompile(`"data:[^"]*"`).ReplaceAllString(b.String(), "")
		if strings.Contains(text, "NaN") || strings.Contains(text, "%!") {
			t.Errorf("%d events: a number is none, near %q", n, regexp.MustCompile(".{60}(NaN|%!).{20}").FindString(text))
		}
	}
}
