package Bench::Common;

# What all parts of t/bench/run know: where things are, how much is to be
# measured, and on which CPUs.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp ();

our @EXPORT_OK = qw($top $out %set dir slurp spew cpus pin pinned version
                    summary);

our $top = abs_path(dirname(__FILE__) . '/../../..');

our %set = (
    module => abs_path($ENV{MODULE} // "$top/build/ngx_http_codat_module.so"),
    nginx => $ENV{NGINX_BINARY} || 'nginx',
    nginx_src => $ENV{NGINX_SRC} || '/usr/share/nginx/src',
    rounds => $ENV{BENCH_ROUNDS} || 5,
    seconds => $ENV{BENCH_SECONDS} || 2,
    connections => $ENV{BENCH_CONNECTIONS} || 32,
    workers => $ENV{BENCH_WORKERS} || 1,
    messages => $ENV{BENCH_MESSAGES},
    warmup => $ENV{BENCH_WARMUP} // 1,
    peers => $ENV{BENCH_PEERS} // 'lua njs fastify express go',
    install => $ENV{BENCH_INSTALL} // 1,
    instructions => $ENV{BENCH_INSTRUCTIONS} // 1,
);

# what is built, and where results go
our $out = dirname($set{module} // "$top/build/x") . '/bench';
$set{result} = $ENV{BENCH_RESULT} || "$out/result.json";

$ENV{PATH} .= ':/usr/sbin:/sbin';


# a folder that is gone at the end

sub dir {
    our $dir;
    make_path($out);

    return $dir //= File::Temp->newdir('codat-bench-XXXXXX', TMPDIR => 1);
}


sub slurp {
    my ($path) = @_;

    open(my $fh, '<:raw', $path) or return '';
    local $/;

    return readline($fh) // '';
}


sub spew {
    my ($path, $text) = @_;

    open(my $fh, '>:raw', $path) or die "bench: $path: $!\n";
    print $fh $text;
    close($fh) or die "bench: $path: $!\n";
}


# the CPUs that we may use

sub cpus {
    my ($list) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(.*)/m;

    return map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, $list // '';
}


# A CPU for each worker and another one for all else, or no order at all where
# there are too few.

sub pinned { return cpus() > $set{workers} }

sub pin {
    my ($what) = @_;

    my @cpus = cpus();
    my $n = $set{workers};

    return if !pinned();
    return ('taskset', '-c',
            join(',', $what eq 'server' ? @cpus[0 .. $n - 1]
                                        : @cpus[$n .. $#cpus]));
}


# what nginx says of itself, by -v or -V

sub version {
    my ($option) = @_;
    $option //= '-v';

    our %said;
    return $said{$option} //= do {
        open(my $pipe, '-|', 'sh', '-c', 'exec "$0" "$1" 2>&1', $set{nginx},
             $option) or die "bench: $set{nginx}: $!\n";
        my $said = join '', <$pipe>;
        $option eq '-v' ? $said =~ s/^nginx version: |\n//gr : $said;
    };
}


# median, quartiles and the lowest of some values

sub summary {
    my @v = sort { $a <=> $b } @_;

    my $at = sub {
        my $x = $#v * $_[0];
        my $i = int $x;
        my $next = $v[$i + 1] // $v[$i];
        return $v[$i] + ($next - $v[$i]) * ($x - $i);
    };

    return { median => $at->(0.5), q1 => $at->(0.25), q3 => $at->(0.75),
             lowest => $v[0] };
}


1;
