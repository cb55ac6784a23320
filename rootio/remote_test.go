package rootio

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go-hep.org/x/hep/xrootd"
)

// readRemote reads all of a remote file through what open returns.
func readRemote(f *remoteFile) error {
	b := make([]byte, 3000)
	for off := int64(0); off < f.size; off += int64(len(b)) {
		if _, err := f.ReadAt(b[:min(int64(len(b)), f.size-off)], off); err != nil {
			return err
		}
	}
	return nil
}

// Servers of all moods: what is there is read; what is not there, hangs or breaks off is an
// error of its kind, in time.
func TestWebServers(t *testing.T) {
	dir := t.TempDir()
	data := writeFile(t, filepath.Join(dir, "x.root"))
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/whole": // as servers do that know no ranges
			_, _ = w.Write(data)
		case "/hang":
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		case "/stall":
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(data[:100])
			w.(http.Flusher).Flush()
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		case "/break":
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(data[:100])
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/many":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/bad":
			w.WriteHeader(http.StatusBadRequest)
		default:
			http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.URL.Path)))
		}
	}))
	defer server.Close()
	defer close(hang)
	for _, path := range []string{"/x.root", "/whole"} {
		if err := readAll(server.URL+path, OpenOptions{}); err != nil {
			t.Error(path, err)
		}
	}
	const short = 200 * time.Millisecond
	for path, kind := range map[string]error{"/none": fs.ErrNotExist, "/hang": ErrUnreachable, "/stall": ErrUnreachable, "/break": ErrUnreachable, "/busy": ErrUnreachable,
		"/many": ErrUnreachable, "/bad": fs.ErrPermission} {
		_, err := openHTTP(context.Background(), server.URL+path, short)
		if err = unreachable(context.Background(), err); !errors.Is(err, kind) {
			t.Errorf("%s: %v", path, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(short, cancel)
	start := time.Now()
	if _, err := openRemote(ctx, server.URL+"/hang"); !errors.Is(err, context.Canceled) || time.Since(start) > silence/2 {
		t.Errorf("a cancelled context after %v: %v", time.Since(start), err)
	}
}

// lossyListener is one whose connections can be cut or stopped.
type lossyListener struct {
	net.Listener
	mutex sync.Mutex
	conns []net.Conn
}

func (l *lossyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mutex.Lock()
		l.conns = append(l.conns, c)
		l.mutex.Unlock()
	}
	return c, err
}

func (l *lossyListener) cut() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
}

// An XRootD server that is lost while a file is read is an error, not the end of the
// program; and so is one that is silent.
func TestXRootDServers(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "x.root"))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lossy := &lossyListener{Listener: listener}
	server := xrootd.NewServer(xrootd.NewFSHandler(dir), func(error) {})
	go func() { _ = server.Serve(lossy) }()
	defer func() { _ = os.RemoveAll(dir) }()
	url := "root://" + listener.Addr().String() + "//"
	if err := readAll(url+"x.root", OpenOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := openRemote(context.Background(), url+"none.root"); err == nil {
		t.Error("a file that is not there is opened")
	}
	const short = time.Second
	f, err := openXRootD(context.Background(), url+"x.root", short)
	if err != nil {
		t.Fatal(err)
	}
	if err := readRemote(f); err != nil {
		t.Error(err)
	}
	lossy.cut()
	f.ahead = nil // what was read ahead is still there
	if _, err := f.ReadAt(make([]byte, 100), 0); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a lost server: %v", err)
	}
	_ = f.close()
	_ = listener.Close()
	if _, err := openRemote(context.Background(), url+"x.root"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("no server: %v", err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	start := time.Now()
	_, err = openXRootD(context.Background(), "root://"+silent.Addr().String()+"//x.root", short)
	if err = unreachable(context.Background(), err); !errors.Is(err, ErrUnreachable) || time.Since(start) > silence/2 {
		t.Errorf("a silent server after %v: %v", time.Since(start), err)
	}
}
