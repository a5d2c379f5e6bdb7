/*
 * Stands in front of a tenant's program: sets variables that are in a file, and becomes the program.
 *
 *     /.skypanel/env VARS PROGRAM [ARGUMENT...]
 *
 * VARS is the path, from the root, of a file of NAME=VALUE, each ended by a NUL. A variable of the file takes the place
 * of one of the same name that is set; of several in the file the last counts. PROGRAM is found as execvp finds it, in
 * the PATH that results; only a file that the kernel has no format for is not given to a shell, as no engine does that.
 *
 * It needs nothing of the image that it runs in: no library, no /proc, nothing to write to. When it cannot become the
 * program it says why, in one line on stderr and without a value, and ends with
 *
 *     125  the call or VARS is wrong      126  PROGRAM cannot be executed      127  PROGRAM is not there
 *
 * A first word that does not begin with a stroke is another thing to do.
 *
 *     /.skypanel/env drain SECONDS SIGNAL VARS PROGRAM [ARGUMENT...]
 *
 * stays in front of the program, which is its child, and holds back what asks it to stop: SIGNAL, a number, or with 0 one of
 * SIGINT, SIGQUIT and SIGTERM. The program gets it SECONDS later, or when it comes a second time, and any other signal at
 * once. It ends as the program ends: with its code, or 128 and the signal that ended it. As process 1 it reaps what has no
 * parent any more. It blocks all signals and waits for them one by one: nothing interrupts it, and it takes no more memory.
 *
 * As the command of a health check
 *
 *     /.skypanel/env check tcp PORT
 *     /.skypanel/env check http PORT PATH
 *
 * it connects to the task itself, 127.0.0.1, and asks for PATH: it ends with 0 when the connection is taken, or the answer
 * is 2xx or 3xx, and else with 1 and a line on stderr. For how long it may wait is the engine's to say, which ends it.
 */

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
enum { READ = 0, WRITE = 1, CLOSE = 3, MMAP = 9, EXECVE = 59, EXIT_GROUP = 231, OPENAT = 257 };
enum { SOCKET = 41, CONNECT = 42, SENDTO = 44, SIGACTION = 13, SIGPROCMASK = 14, CLONE = 56, WAIT4 = 61, KILL = 62 };
enum { SIGTIMEDWAIT = 128, CLOCK_GETTIME = 228 };
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n hlt");

static long call(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
}
#elif defined(__aarch64__)
enum { OPENAT = 56, CLOSE = 57, READ = 63, WRITE = 64, EXIT_GROUP = 94, EXECVE = 221, MMAP = 222 };
enum { SOCKET = 198, CONNECT = 203, SENDTO = 206, SIGACTION = 134, SIGPROCMASK = 135, CLONE = 220, WAIT4 = 260, KILL = 129 };
enum { SIGTIMEDWAIT = 137, CLOCK_GETTIME = 113 };
__asm__(".globl _start\n_start: mov x29, #0\n mov x30, #0\n mov x0, sp\n bl begin\n brk #0");

static long call(long number, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
#error "no system calls are known for this architecture"
#endif

enum { NOENT = -2, TOOBIG = -7, NOEXEC = -8, NOMEM = -12, ACCES = -13, INTR = -4 }; /* as system calls return them */
enum { IO = -5, PERM = -1, NOTDIR = -20, ISDIR = -21, TXTBSY = -26, NAMETOOLONG = -36, LOOP = -40 };
enum { PIPE = -32, CONNRESET = -104, CONNREFUSED = -111 };
enum { SIG_INT = 2, SIG_QUIT = 3, SIG_TERM = 15, SIG_CHLD = 17, SIGNALS = 64, AGAIN = -11, LONGEST_DRAIN = 3600 };
enum { UNWELL = 1, WRONG = 125, CANNOT = 126, ABSENT = 127 };
enum { MOST = 512000, LONGEST_PATH = 4096 }; /* bytes of VARS, more than an engine's secret has; of a path, with its NUL */

static const char DEFAULT_PATH[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static char vars[1 + MOST + 1]; /* the file, from 1; one byte more is read, to see that it is too large */

/* -- what is said at the end -------------------------------------------------------------------------------------- */

static char said[1024];
static size_t length;

/* Control characters are shown as question marks, so that it stays one line; the end of long words is left out. */
static void say(const char *text) {
    for (size_t most = length + 500; *text && length < most && length < sizeof said - 1; text++)
        said[length++] = (unsigned char)*text < ' ' || *text == 127 ? '?' : *text;
}

static const char *meaning(long error) {
    switch (error) {
    case PERM: return "not permitted";
    case NOENT: return "no such file";
    case IO: return "it cannot be read: input/output error";
    case NOMEM: return "not enough memory";
    case ACCES: return "permission denied";
    case NOTDIR: return "a part of its path is no folder";
    case ISDIR: return "it is a folder";
    case TXTBSY: return "it is being written to";
    case NAMETOOLONG: return "its path is too long";
    case LOOP: return "too many links";
    case CONNREFUSED: return "nothing listens on this port of 127.0.0.1; listen on all addresses, 0.0.0.0";
    case PIPE:
    case CONNRESET: return "the connection was closed before there was an answer";
    case NOEXEC: return "no program for this machine, or a script without #! in its first line";
    case TOOBIG: return "one argument or variable has more than 128 kB, or all of them have more than the kernel takes";
    default: return "the kernel refuses it";
    }
}

static _Noreturn void leave(int code) {
    for (;;)
        (void)call(EXIT_GROUP, code, 0, 0, 0, 0, 0);
}

static _Noreturn void end(int code, const char *what, const char *why) {
    say("/.skypanel/env: ");
    say(what);
    say(": ");
    say(why);
    said[length++] = '\n';
    (void)call(WRITE, 2, (long)said, (long)length, 0, 0, 0);
    leave(code);
}

/* -- words --------------------------------------------------------------------------------------------------------- */

static int is_word(const char *one, const char *other) {
    for (; *one && *one == *other; one++)
        other++;
    return *one == *other;
}

/* A number as it is written; -1: it is none, or more than ``most``. */
static long number_of(const char *text, long most) {
    long number = *text ? 0 : -1;
    for (; *text >= '0' && *text <= '9' && number <= most; text++)
        number = 10 * number + (*text - '0');
    return *text || number > most ? -1 : number;
}

/* -- variables ----------------------------------------------------------------------------------------------------- */

/* Reads the file into ``vars``; how many variables it has. */
static size_t read_vars(const char *path) {
    long file = call(OPENAT, -100 /* the working folder */, (long)path, 02000000 /* O_RDONLY | O_CLOEXEC */, 0, 0, 0);
    if (file < 0)
        end(WRONG, path, meaning(file));
    size_t size = 0, count = 0;
    for (long got = 1; got && size <= MOST; size += (size_t)(got > 0 ? got : 0)) {
        got = call(READ, file, (long)(vars + 1 + size), (long)(MOST + 1 - size), 0, 0, 0);
        if (got < 0 && got != INTR)
            end(WRONG, path, meaning(got));
    }
    (void)call(CLOSE, file, 0, 0, 0, 0, 0);
    if (size > MOST)
        end(WRONG, path, "it has more than 512000 bytes");
    if (vars[size])
        end(WRONG, path, "its last variable is not ended by a NUL");
    for (size_t at = 1; at <= size; at++, count++) {
        if (!vars[at] || vars[at] == '=')
            end(WRONG, path, "it has a variable without a name");
        for (; vars[at] != '='; at++)
            if (!vars[at])
                end(WRONG, path, "it has something that is not NAME=VALUE");
        while (vars[at])
            at++;
    }
    return count;
}

static int same_name(const char *one, const char *other) {
    for (; *one == *other && *one && *one != '='; one++)
        other++;
    return (!*one || *one == '=') && (!*other || *other == '=');
}

static uint32_t *slots; /* where in ``vars`` the last variable of a name begins, by its hash; 0: nothing */
static size_t mask;     /* their number less one, a power of two; at most half of them are taken */

static uint32_t *slot(const char *variable) {
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (const char *at = variable; *at && *at != '='; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619U;
    size_t index = hash & mask;
    while (slots[index] && !same_name(vars + slots[index], variable))
        index = (index + 1) & mask;
    return slots + index;
}

static void *memory(size_t bytes) {
    long found = call(MMAP, 0, (long)bytes, 3 /* read, write */, 0x22 /* private, anonymous */, -1, 0);
    if (found < 0 && found > -4096)
        end(WRONG, "variables", meaning(NOMEM));
    return (void *)found;
}

/* What was set and is not in the file, then what is in the file, in its order. */
static char **environment(char **set, size_t count) {
    size_t had = 0, size = 0;
    while (set[had])
        had++;
    for (mask = 1; mask < 2 * count; mask *= 2)
        ;
    slots = memory(mask * sizeof *slots);
    mask--;
    char **made = memory((had + count + 1) * sizeof *made);
    size_t at = 1;
    for (size_t n = 0; n < count; n++, at++) {
        *slot(vars + at) = (uint32_t)at;
        while (vars[at])
            at++;
    }
    for (; *set; set++)
        if (!*slot(*set))
            made[size++] = *set;
    at = 1;
    for (size_t n = 0; n < count; n++, at++) {
        if (*slot(vars + at) == at)
            made[size++] = vars + at;
        while (vars[at])
            at++;
    }
    return made; /* the kernel gave zeros: it is ended by one */
}

/* -- the program ---------------------------------------------------------------------------------------------------- */

/* Returns only if it cannot be done: why. */
static long execute(const char *path, char **arguments, char **variables) {
    return call(EXECVE, (long)path, (long)arguments, (long)variables, 0, 0, 0);
}

static long search(char **arguments, char **variables) {
    const char *folder = DEFAULT_PATH;
    for (char **each = variables; *each; each++)
        if (same_name(*each, DEFAULT_PATH)) {
            folder = *each;
            break;
        }
    long found = NOENT;
    static char path[LONGEST_PATH];
    for (folder += sizeof "PATH=" - 1;; folder++) {
        size_t size = 0;
        for (; *folder && *folder != ':'; folder++)
            if (size < sizeof path - 2)
                path[size++] = *folder;
            else
                size = sizeof path; /* too long to be a path: passed over */
        if (size && size < sizeof path - 1)
            path[size++] = '/'; /* an empty one is the working folder */
        for (const char *at = arguments[0]; *at && size < sizeof path; at++)
            path[size++] = *at;
        if (size < sizeof path) {
            path[size] = 0;
            long error = execute(path, arguments, variables);
            if (error == ACCES)
                found = error; /* another folder may have one that can be executed */
            else if (error != NOENT && error != NOTDIR && error != NAMETOOLONG)
                return error;
        }
        if (!*folder)
            return found;
    }
}

static int has_stroke(const char *text) {
    while (*text && *text != '/')
        text++;
    return *text;
}

static _Noreturn void become(char **arguments, char **variables) {
    const char *program = arguments[0];
    long error = NOENT;
    if (has_stroke(program))
        error = execute(program, arguments, variables);
    else if (*program)
        error = search(arguments, variables);
    if (error == NOENT)
        end(ABSENT, program, "not found, or what it is run by (its #! line, its loader) is not there");
    end(error == NOTDIR || error == NAMETOOLONG || error == LOOP ? ABSENT : CANNOT, program, meaning(error));
}

/* -- in front of the program ---------------------------------------------------------------------------------------- */

struct moment {
    long seconds, nanoseconds;
};

struct action { /* as the kernel has it; of an architecture without a restorer the last field is not looked at */
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

static struct moment now(void) {
    struct moment found = {0, 0};
    (void)call(CLOCK_GETTIME, 1 /* monotonic */, (long)&found, 0, 0, 0, 0);
    return found;
}

/* What is left until then, in ``left``; whether there is anything. */
static int is_ahead(struct moment then, struct moment *left) {
    struct moment at = now();
    left->seconds = then.seconds - at.seconds;
    left->nanoseconds = then.nanoseconds - at.nanoseconds;
    if (left->nanoseconds < 0) {
        left->seconds--;
        left->nanoseconds += 1000000000;
    }
    return left->seconds >= 0 && (left->seconds || left->nanoseconds);
}

/* Reaps all that have ended; when the program has, ends as it did. */
static void reap(long program) {
    for (;;) {
        int status = 0;
        long ended = call(WAIT4, -1, (long)&status, 1 /* WNOHANG */, 0, 0, 0);
        if (ended == INTR)
            continue;
        if (ended <= 0)
            return;
        if (ended == program)
            leave(status & 127 ? 128 + (status & 127) : (status >> 8) & 255);
    }
}

static int asks_to_stop(long signal, long which) {
    return which ? signal == which : signal == SIG_INT || signal == SIG_QUIT || signal == SIG_TERM;
}

static _Noreturn void stand_in_front(long seconds, long which, long program) {
    static const uint64_t all = ~0ULL;
    struct moment then = {0, 0}, left = {0, 0};
    long held = 0;
    for (int asked_once = 0;;) {
        if (held && !is_ahead(then, &left)) {
            (void)call(KILL, program, held, 0, 0, 0, 0);
            held = 0;
        }
        long signal = call(SIGTIMEDWAIT, (long)&all, 0, held ? (long)&left : 0, sizeof all, 0, 0);
        if (signal == SIG_CHLD)
            reap(program);
        else if (signal > 0 && asks_to_stop(signal, which) && !asked_once) {
            asked_once = 1;
            held = signal;
            then = now();
            then.seconds += seconds;
        } else if (signal > 0) {
            if (asks_to_stop(signal, which))
                held = 0; /* whoever asks again does not want to wait */
            (void)call(KILL, program, signal, 0, 0, 0, 0);
        }
    }
}

static _Noreturn void drain(char **words, long count, char **set) {
    long seconds = count > 0 ? number_of(words[0], LONGEST_DRAIN) : -1, which = count > 1 ? number_of(words[1], SIGNALS) : -1;
    if (count < 4 || seconds < 0 || which < 0 || words[2][0] != '/')
        end(WRONG, "usage", "/.skypanel/env drain SECONDS SIGNAL VARS PROGRAM [ARGUMENT...]");
    char **variables = environment(set, read_vars(words[2]));
    static const uint64_t all = ~0ULL;
    static uint64_t blocked;
    static struct action usual, found; /* of children that end: whoever ignores it is told of none */
    (void)call(SIGPROCMASK, 2 /* set */, (long)&all, (long)&blocked, sizeof all, 0, 0);
    (void)call(SIGACTION, SIG_CHLD, (long)&usual, (long)&found, sizeof all, 0, 0);
    long program = call(CLONE, SIG_CHLD, 0, 0, 0, 0, 0);
    if (program < 0)
        end(WRONG, "drain", program == AGAIN ? "no process more is allowed" : meaning(program));
    if (program)
        stand_in_front(seconds, which, program);
    (void)call(SIGACTION, SIG_CHLD, (long)&found, 0, sizeof all, 0, 0);
    (void)call(SIGPROCMASK, 2 /* set */, (long)&blocked, 0, sizeof all, 0, 0);
    become(words + 3, variables);
}

/* -- a health check ------------------------------------------------------------------------------------------------- */

static char request[LONGEST_PATH + 128]; /* ended by a NUL, as the kernel gave zeros */
static size_t asked;

static void ask(const char *text) {
    for (; *text; text++)
        if (asked < sizeof request - 1)
            request[asked++] = *text;
}

/* A port as it is written; 0: it is none. */
static unsigned port_of(const char *text) {
    long port = number_of(text, 65535);
    return port < 0 ? 0 : (unsigned)port;
}

/* Whether a request can name it: it begins with a stroke, has no space or control character, and is not too long. */
static int is_path(const char *text) {
    size_t size = 0;
    for (; text[size]; size++)
        if ((unsigned char)text[size] <= ' ' || text[size] == 127 || size == LONGEST_PATH - 1)
            return 0;
    return text[0] == '/';
}

static long talk(const char *port) {
    static unsigned char address[16] = {0, 0, 0, 0, 127, 0, 0, 1};
    unsigned number = port_of(port);
    *(uint16_t *)(void *)address = 2 /* AF_INET */;
    address[2] = (unsigned char)(number >> 8);
    address[3] = (unsigned char)number;
    long found = call(SOCKET, 2, 02000001 /* SOCK_STREAM | SOCK_CLOEXEC */, 0, 0, 0, 0);
    long error = found < 0 ? found : call(CONNECT, found, (long)address, sizeof address, 0, 0, 0);
    if (error < 0)
        end(UNWELL, port, meaning(error));
    return found;
}

static _Noreturn void check(char **words, long count) {
    int http = count == 3 && is_word(words[0], "http") && is_path(words[2]);
    if (!(http || (count == 2 && is_word(words[0], "tcp"))) || !port_of(words[1]))
        end(WRONG, "usage", "/.skypanel/env check tcp PORT, or /.skypanel/env check http PORT PATH");
    long connection = talk(words[1]);
    if (http) {
        ask("GET ");
        ask(words[2]);
        ask(" HTTP/1.1\r\nHost: 127.0.0.1:");
        ask(words[1]);
        ask("\r\nUser-Agent: skypanel-check\r\nAccept: */*\r\nConnection: close\r\n\r\n");
        for (size_t sent = 0; sent < asked;) {
            long got = call(SENDTO, connection, (long)(request + sent), (long)(asked - sent), 0x4000 /* no SIGPIPE */, 0, 0);
            if (got < 0)
                end(UNWELL, words[1], meaning(got));
            sent += (size_t)got;
        }
        static char answer[4096]; /* most of it is not looked at, but taken, so that its sender is not cut off */
        size_t size = 0;
        while (size < sizeof "HTTP/1.1 200" - 1) {
            long got = call(READ, connection, (long)(answer + size), (long)(sizeof answer - size), 0, 0, 0);
            if (got <= 0)
                end(UNWELL, words[1], meaning(got ? got : CONNRESET));
            size += (size_t)got;
        }
        answer[sizeof "HTTP/1.1 200" - 1] = 0;
        for (size_t at = 0; at < sizeof "HTTP/1." - 1; at++)
            if (answer[at] != "HTTP/1."[at])
                end(UNWELL, words[1], "what answers does not speak HTTP");
        if (answer[9] != '2' && answer[9] != '3') {
            static char told[] = "it answered with status 000";
            for (size_t at = 0; at < 3; at++)
                told[sizeof told - 4 + at] = answer[9 + at];
            end(UNWELL, words[1], told);
        }
    }
    leave(0);
}

/* What the kernel leaves on the stack: how many arguments, these, NULL, the environment, NULL. */
__attribute__((used)) _Noreturn void begin(long *stack) {
    char **arguments = (char **)(stack + 1), **set = arguments + stack[0] + 1;
    if (stack[0] > 1 && is_word(arguments[1], "check"))
        check(arguments + 2, stack[0] - 2);
    if (stack[0] > 1 && is_word(arguments[1], "drain"))
        drain(arguments + 2, stack[0] - 2, set);
    if (stack[0] < 3 || arguments[1][0] != '/')
        end(WRONG, "usage", "/.skypanel/env VARS PROGRAM [ARGUMENT...]");
    become(arguments + 2, environment(set, read_vars(arguments[1])));
}
