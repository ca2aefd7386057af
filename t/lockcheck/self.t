# The lock checker sees each way to use the lock wrongly, and nothing where
# there is none.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use File::Temp ();
use POSIX ();
use Test::More;

my $version = `@{[$ENV{TEST_NGINX_BINARY} || 'nginx']} -V 2>&1`;

plan skip_all => 'this nginx has no lock checker'
    unless $version =~ m{--add-module=\S+/t/lockcheck\b};

my %expected = (
    none => '',
    keep => 'kept at the return to the event loop',
    exit => 'kept at the end of the process',
    double => 'taken twice',
    unlock => 'released without having it',
    second => 'another one is taken',
    slab => 'held over a call of ngx_slab_alloc',
    pool => 'held over a call of ngx_palloc',
    malloc => 'held over a call of ngx_alloc',
    log => 'held over a call of ngx_log_error_core',
    write => 'held over a call of write',
    open => 'held over a call of open',
    random => 'held over a call of RAND_bytes',
    sleep => 'held over a call of usleep',
    long => 'held too long',
);

for my $name (sort keys %expected) {
    my $dir = File::Temp->newdir;

    my $nginx = CodatTest::Nginx->new(
        master => 0,
        conf => {
            main => "codat_lockcheck $name;",
            http => 'codat_zone zone=one:1m; codat_zone zone=two:1m;',
        });

    my $pid = fork() // die "fork: $!\n";

    if (!$pid) {
        $ENV{CODAT_LOCKCHECK} = "$dir";
        $nginx->_write_conf;
        open(STDOUT, '>', '/dev/null');
        open(STDERR, '>&', \*STDOUT);
        exec($nginx->_command) or POSIX::_exit(127);
    }

    ok($nginx->_wait_until(sub { waitpid($pid, POSIX::WNOHANG()) }),
       "$name: ends") or kill('KILL', $pid);

    my $report = join('', map { CodatTest::_slurp($_) } glob("$dir/report.*"));
    my $wanted = $expected{$name};

    like($report, $wanted ? qr/^\Q$wanted\E /m : qr/^\z/,
         "$name: " . ($wanted || 'nothing to report'));
}

done_testing();
