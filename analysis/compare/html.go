package compare

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/color"
	"io"
	"slices"

	"go-hep.org/x/hep/hplot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/rootio"
)

//go:embed report.html
var page string

// HTMLMarks are texts of which one is among the first bytes of every page that
// [Report.WriteHTML] writes, or wrote in earlier versions: who finds one there may replace the
// page.
func HTMLMarks() []string {
	return []string{
		`<meta name="generator" content="eidolon compare">`,
		`body { font: 15px/1.5 system-ui, "Liberation Sans", Arial, sans-serif; color: #1a1a1a; background: #fff; max-width: 1160px;`,
	}
}

// WriteHTML writes the report as one HTML file that needs no other: the verdict in
// words, all numbers, the columns in pairs, the ROC curve, and a plot of each
// column, the worst first. ref and cand are the samples that were compared.
func (r *Report) WriteHTML(ctx context.Context, w io.Writer, ref, cand *rootio.Table) error {
	p := htmlPage{Report: r, Words: r.Words()}
	if c := r.newCorner(ref, cand); c != nil {
		side := vg.Length(2+1.6*float64(len(c.columns))) * vg.Inch
		if err := p.add(&p.Corner, c, side, side, "pairs of columns"); err != nil {
			return err
		}
	}
	if r.Classifier != nil {
		if err := p.add(&p.ROC, r.roc(), 4.6*vg.Inch, 4.4*vg.Inch, "ROC curve"); err != nil {
			return err
		}
		p.Telling = r.tellingColumns()
	}
	columns := pointers(r.Columns)
	slices.SortStableFunc(columns, func(a, b *Column) int {
		return cmp.Or(slices.Index(severity, b.Verdict)-slices.Index(severity, a.Verdict), cmp.Compare(b.effect, a.effect))
	})
	for _, c := range columns {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		h := htmlColumn{Column: c}
		if len(c.spectrum.lo) > 0 {
			data, err := r.picture([]*Column{c}, 5.6, 4.6, 11)
			if err != nil {
				return fmt.Errorf("compare: could not draw %q: %w", c.Name, err)
			}
			h.Plot = embedded(data)
		}
		p.Columns = append(p.Columns, h)
	}
	t, err := template.New("report").Funcs(template.FuncMap{
		"grouped": grouped, "short": short, "pm": pm, "percent": func(x float64) string { return fmt.Sprintf("%.2f", 100*x) },
		"hundred": func(x float64) float64 { return 100 * x },
		"aspect":  aspectWords, "aucMeaning": func() string { return aucMeaning }, "apart": classify.Apart, "plain": plain,
		"shift": (*Column).shift, "perNDF": (*Chi2).perNDF,
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("compare: could not write the report: %w", err)
	}
	return nil
}

// htmlPage is what the template sees.
type htmlPage struct {
	*Report
	Words       []string
	Corner, ROC template.URL
	Telling     any
	Columns     []htmlColumn
}

type htmlColumn struct {
	*Column
	Plot template.URL
}

func (p *htmlPage) add(to *template.URL, d hplot.Drawer, w, h vg.Length, what string) error {
	data, err := pngOf(d, w, h)
	if err != nil {
		return fmt.Errorf("compare: could not draw the %s: %w", what, err)
	}
	*to = embedded(data)
	return nil
}

func embedded(png []byte) template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png))
}

// roc draws the ROC curve of the classifier.
func (r *Report) roc() hplot.Drawer {
	wrong, right := r.curve()
	line := make(plotter.XYs, len(wrong))
	for k := range line {
		line[k] = plotter.XY{X: wrong[k], Y: right[k]}
	}
	p := hplot.New()
	p.X.Label.Text, p.Y.Label.Text = "reference above the cut", "candidate above the cut"
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	p.Title.Text = fmt.Sprintf("AUC %.4f ± %.4f", r.Classifier.AUC, r.Classifier.AUCError)
	curve := &plotter.Line{XYs: line}
	curve.Color, curve.Width = candInk, vg.Points(1.5)
	guess := &plotter.Line{XYs: plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}}}
	guess.Color, guess.Width, guess.Dashes = color.Gray{0x80}, vg.Points(1), []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(hplot.NewGrid(), guess, curve)
	return p
}
