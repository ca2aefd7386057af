package CodatTest::Cover;

# For "make cover", which sets CODAT_TEST_COVER: a process that is killed
# would not say which lines it has run, so SIGPROF takes the place of SIGKILL
# where the process is the nginx under test.  It writes its counts, and then
# kills itself.  See t/oom/module/ngx_oom.c.  To be loaded before all else.

use strict;
use warnings;

my $binary = $ENV{CODAT_TEST_COVER} && $ENV{TEST_NGINX_BINARY};

BEGIN {
    *CORE::GLOBAL::kill = sub {
        my ($signal, @pids) = @_;

        return CORE::kill($signal, @pids) if $signal ne 'KILL' || !$binary;

        my $killed = 0;
        for my $pid (@pids) {
            my $exe = readlink("/proc/$pid/exe") // '';
            $killed += CORE::kill($exe eq $binary ? 'PROF' : 'KILL', $pid);
        }

        return $killed;
    } if $ENV{CODAT_TEST_COVER};
}

1;
