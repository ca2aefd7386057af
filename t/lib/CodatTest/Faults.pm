package CodatTest::Faults;

# A disk that is full, broken or slow, and a clock that is wrong, for a
# CodatTest::Nginx: t/faults/shim.c, built here, tells what there is.
#
#     my $faults = CodatTest::Faults->new;     # undef: it can't be used here
#     $faults->start($nginx);                  # instead of $nginx->start
#     $faults->set('write ENOSPC');
#     $faults->clear;

use strict;
use warnings;

use File::Temp ();


# new($binary): undef where there is no compiler, or the nginx does not bear
# LD_PRELOAD, as under a sanitizer

sub new {
    my ($class, $binary) = @_;

    my $self = bless {
        dir => File::Temp->newdir('codat-faults-XXXXXX', TMPDIR => 1),
    }, $class;

    my $dir = $self->{dir}->dirname;
    my $source = CodatTest::top() . '/t/faults/shim.c';

    system('cc', '-O1', '-fPIC', '-shared', '-o', "$dir/shim.so", $source)
        == 0 or return;

    $binary //= $ENV{TEST_NGINX_BINARY} || 'nginx';
    local $ENV{LD_PRELOAD} = "$dir/shim.so";
    system('sh', '-c', 'exec "$0" -v > /dev/null 2>&1', $binary) == 0
        or return;

    return $self;
}


# starts nginx with files in its prefix, or below the path given, at our mercy

sub start {
    my ($self, $nginx, $path) = @_;

    my $dir = $self->{dir}->dirname;

    local $ENV{LD_PRELOAD} = "$dir/shim.so";
    local $ENV{CODAT_SHIM_CONTROL} = "$dir/control";
    local $ENV{CODAT_SHIM_PATH} = $path // $nginx->prefix . '/codat.db';

    return $nginx->start;
}


sub set {
    my ($self, @lines) = @_;

    my $path = $self->{dir}->dirname . '/control';

    open(my $fh, '>', "$path.new") or die "$path.new: $!\n";
    print $fh map { "$_\n" } @lines;
    close($fh) or die "$path.new: $!\n";
    rename("$path.new", $path) or die "$path: $!\n";
}


sub clear { unlink($_[0]{dir}->dirname . '/control') }


1;
