package compare

import (
	"context"
	"math"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Correlations compares the linear correlation coefficients of all pairs of
// columns that vary in both samples. A value that is left out counts as the mean
// of its column.
type Correlations struct {
	Columns       []string     `json:"columns,omitempty"`
	Reference     [][]float64  `json:"reference,omitempty"` // row and column i belong to Columns[i]
	Candidate     [][]float64  `json:"candidate,omitempty"`
	RMSDifference float64      `json:"rms_difference"` // over the pairs of different columns
	Largest       *Correlation `json:"largest,omitempty"`
}

// Correlation is the pair of columns whose correlation differs most.
type Correlation struct {
	Columns    [2]string `json:"columns"`
	Reference  float64   `json:"reference"`
	Candidate  float64   `json:"candidate"`
	Difference float64   `json:"difference"` // candidate − reference
	Error      float64   `json:"error"`      // as for normal columns: (1−ρ²)/√n of both samples
}

func correlate(ctx context.Context, r *Report, ref, cand *rootio.Table, refWeights, candWeights []float64) (Correlations, error) {
	var c Correlations
	var inRef, inCand []standardised
	for _, column := range r.branches() {
		if column.Reference.Std > 0 && column.Candidate.Std > 0 {
			c.Columns = append(c.Columns, column.Name)
			x, _ := ref.Column(column.Name)
			y, _ := cand.Column(column.Name)
			inRef = append(inRef, standardised{x, column.Reference})
			inCand = append(inCand, standardised{y, column.Candidate})
		}
	}
	if len(c.Columns) < 2 {
		return Correlations{}, nil
	}

	var group errgroup.Group
	group.Go(func() (err error) { c.Reference, err = correlationMatrix(ctx, inRef, refWeights); return err })
	group.Go(func() (err error) { c.Candidate, err = correlationMatrix(ctx, inCand, candWeights); return err })
	if err := group.Wait(); err != nil {
		return Correlations{}, err
	}

	c.Largest = &Correlation{}
	var sum2 float64
	for i := range c.Columns {
		for j := range i {
			p, q := c.Reference[i][j], c.Candidate[i][j]
			sum2 += (q - p) * (q - p)
			if c.Largest.Error == 0 || math.Abs(q-p) > math.Abs(c.Largest.Difference) {
				*c.Largest = Correlation{
					Columns:   [2]string{c.Columns[j], c.Columns[i]},
					Reference: p, Candidate: q, Difference: q - p,
					Error: math.Hypot((1-p*p)/math.Sqrt(r.Reference.EffectiveEvents), (1-q*q)/math.Sqrt(r.Candidate.EffectiveEvents)),
				}
			}
		}
	}
	pairs := len(c.Columns) * (len(c.Columns) - 1) / 2
	c.RMSDifference = math.Sqrt(sum2 / float64(pairs))
	return c, nil
}

// standardised is a column together with the mean and the standard deviation
// that turn it into one of mean zero and variance one.
type standardised struct {
	rootio.Column
	Summary
}

func correlationMatrix(ctx context.Context, columns []standardised, weights []float64) ([][]float64, error) {
	const chunk = 1024
	n, d := columns[0].Len(), len(columns)
	products := blas64.General{Rows: d, Cols: d, Stride: d, Data: make([]float64, d*d)}
	x := blas64.General{Rows: d, Stride: chunk, Data: make([]float64, d*chunk)}
	wx := x
	if weights != nil {
		wx.Data = make([]float64, d*chunk)
	}
	for lo := 0; lo < n; lo += chunk {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		m := min(chunk, n-lo)
		x.Cols, wx.Cols = m, m
		for j, c := range columns {
			row := x.Data[j*chunk : j*chunk+m]
			c.Floats(row, lo)
			for i, v := range row {
				row[i] = 0
				if usable(v) {
					row[i] = (v - c.Mean) / c.Std
				}
			}
			if weights != nil {
				floats.MulTo(wx.Data[j*chunk:j*chunk+m], row, weights[lo:lo+m])
			}
		}
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, x, wx, 1, products)
	}

	rho := make([][]float64, d)
	for i := range rho {
		rho[i] = make([]float64, d)
		for j := range rho[i] {
			p := products.Data
			if norm := p[i*d+i] * p[j*d+j]; norm > 0 {
				rho[i][j] = p[i*d+j] / math.Sqrt(norm)
			}
		}
	}
	return rho, nil
}
