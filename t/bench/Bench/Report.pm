package Bench::Report;

# Tables and JSON of what was measured, in this run or in several.

use strict;
use warnings;

use JSON::PP ();

use Bench::Common qw($top %set slurp spew summary);
use Bench::Pairs qw(%PAIRS @ORDER);

my %UNIT = (cpu => 'CPU', rps => 'requests/s', rss => 'MiB', bytes => 'bytes',
            growth => 'CPU of each KB more');


# report($result): prints it, adds medians to it, writes it

sub report {
    my ($result) = @_;

    print "\nmedians [quartiles]; MiB are of all processes under load\n";

    # pairs that were measured with several numbers of workers stand together
    my $pairs = $result->{pairs};
    my @keys = map { my $name = $_;
                     sort grep { $pairs->{$_}{name} eq $name } keys %$pairs }
        @ORDER;

    for my $key (@keys) {
        medians($pairs->{$key});
        $pairs->{$key}{name} eq 'memory' ? memory($pairs->{$key})
                                         : table($pairs->{$key}, $key);
    }

    goals($result, @keys);

    spew($set{result}, JSON::PP->new->canonical->pretty->encode($result));
    print "\nwritten to $set{result}\n" =~ s{\Q$top/}{}r;
}


# one result of several files; rounds of the same pair are added

sub merge {
    my ($all, @others) = map {
        JSON::PP::decode_json(slurp($_) || die "bench: $_ is not there\n")
    } @_;

    for my $other (@others) {
        for my $key (keys %{$other->{pairs}}) {
            my $new = $other->{pairs}{$key};
            my $pair = $all->{pairs}{$key} //= { %$new, sides => {} };
            my ($here, $there) = map { join ', ', sort keys %{$_->{sides}} }
                $pair, $new;

            # a ratio is of one round
            die "bench: $key was measured with other sides: $here; $there\n"
                if $here && $here ne $there;

            for my $name (keys %{$new->{sides}}) {
                my $side = $pair->{sides}{$name} //= { rounds => [] };
                push @{$side->{rounds}}, @{$new->{sides}{$name}{rounds}};
                $side->{instructions} //=
                    $new->{sides}{$name}{instructions};
            }
        }
    }

    return $all;
}


# the sides that were measured, in order

sub sides {
    my ($pair) = @_;

    return grep { $pair->{sides}{$_->{name}} }
        @{$PAIRS{$pair->{name}}{sides}};
}


sub medians {
    my ($pair) = @_;

    for my $s (values %{$pair->{sides}}) {
        for my $figure (grep { $_ ne 'requests' } keys %{$s->{rounds}[0]}) {
            $s->{median}{$figure} =
                summary(map { $_->{$figure} } @{$s->{rounds}});
        }
    }
}


sub table {
    my ($pair, $key) = @_;

    my @sides = sides($pair);
    my $first = $sides[0]{name};

    printf "\n%s: %s\n", $key, $PAIRS{$pair->{name}}{text};
    printf "%s worker%s, bodies of %s bytes, %d rounds of %g s%s\n",
        $pair->{workers}, $pair->{workers} > 1 ? 's' : '',
        join(', ', sort { $a <=> $b } values %{$pair->{bodies}}),
        scalar @{$pair->{sides}{$first}{rounds}}, $pair->{seconds},
        $pair->{pinned} ? '' : ', not bound to CPUs';
    printf "%-14s %9s %25s %9s %7s %7s %7s %6s %8s  %s\n", '', 'requests/s',
        'CPU us/request', '(lowest)', 'p50 ms', 'p99', 'p99.9', 'MiB',
        'instr.', 'module / this: CPU, requests/s';

    for my $side (@sides) {
        my $s = $pair->{sides}{$side->{name}};
        my $against = $side->{against} // $first;
        $against = '' if $side->{name} =~ /^module/;
        $s->{ratio}{$_} = ratio($pair, $_, $against, $side->{name})
            for $against ? qw(cpu rps) : ();

        line($side->{name}, $s);
    }

    printf "skipped: %s: %s\n", $_, $pair->{skipped}{$_}
        for sort keys %{$pair->{skipped}};
    printf "%s does less: %s\n", $_, $pair->{lacks}{$_}
        for sort keys %{$pair->{lacks}};
}


sub line {
    my ($name, $s) = @_;

    my $m = $s->{median};
    my $n = sub {
        my ($format, $figure) = @_;
        return $m->{$figure} ? sprintf($format, $m->{$figure}{median}) : '';
    };

    printf "%-14s %9s %25s %9.2f %7s %7s %7s %6s %8s  %s\n", $name,
        $n->('%.0f', 'rps'), spread($m->{cpu}), $m->{cpu}{lowest},
        (map { $n->('%.2f', $_) } qw(p50 p99 p999)), $n->('%.1f', 'memory'),
        $s->{instructions} ? sprintf('%.0f', $s->{instructions}) : '',
        $s->{ratio} ? join('  ', map { $_ ? spread($_) : () }
                               @{$s->{ratio}}{qw(cpu rps)}) : '';
}


sub memory {
    my ($pair) = @_;

    my %is = map { $_ => $pair->{sides}{$_}{median} } keys %{$pair->{sides}};
    print "\nmemory\n";
    printf "idle worker: %.2f MiB with the module and a zone of 96 MiB, "
        . "%.2f without\n", map { $is{$_}{rss}{median} } qw(module without);
    printf "a delivery: %.0f bytes of cells, %.1f of the zone with all its "
        . "parts\n", map { $is{delivery}{$_}{median} } qw(cells bytes);
}


# a figure of one side by that of another, in each round

sub ratio {
    my ($pair, $figure, $this, $that) = @_;

    my @this = @{$pair->{sides}{$this}{rounds}};
    my @that = @{$pair->{sides}{$that}{rounds}};
    return unless exists $this[0]{$figure} && exists $that[0]{$figure};

    return summary(map { $this[$_]{$figure} / $that[$_]{$figure} }
                   0 .. $#this);
}


# --- goals -----------------------------------------------------------------

sub goals {
    my ($result, @keys) = @_;

    printf "\n%-14s %-44s %22s %9s\n", 'goals', '', 'median [quartiles]',
        'goal';

    for my $key (@keys) {
        my $pair = $result->{pairs}{$key};
        $pair->{goals} = [];

        for (@{$PAIRS{$pair->{name}}{goals} // []}) {
            my ($figure, $this, $that, $sign, $limit) = @$_;
            my $is = value($pair, $figure, $this, $that) or next;
            my $met = $sign eq '<=' ? $is->{median} <= $limit
                                    : $is->{median} >= $limit;
            my $what = "$UNIT{$figure}, " . ($figure eq 'growth'
                ? "$this / HMAC and yajl"
                : $that ? $figure eq 'rss' ? "$this - $that" : "$this / $that"
                : $this);

            printf "%-14s %-44s %22s %2s %6.2f  %s\n", $key, $what,
                spread($is), $sign, $limit, $met ? 'met' : 'missed';
            push @{$pair->{goals}},
                { what => $what, %$is, sign => $sign, limit => $limit,
                  met => $met ? JSON::PP::true : JSON::PP::false };
        }
    }
}


# what a goal is about, in each round; nothing if it was not measured

sub value {
    my ($pair, $figure, $this, $that) = @_;

    my $sides = $pair->{sides};
    my $of = sub { return @{($sides->{$_[0]} // {})->{rounds} // []} };

    if ($figure eq 'growth') {
        my ($m, $m1, $a, $a1) = map { [$of->($_)] }
            "module $this", 'module 1k', "alone $this", 'alone 1k';
        return summary(map {
            ($m->[$_]{cpu} - $m1->[$_]{cpu}) / ($a->[$_]{cpu} - $a1->[$_]{cpu})
        } 0 .. $#$m);
    }

    return if !$of->($this) || $that && !$of->($that);
    return summary(map { $_->{$figure} } $of->($this)) unless $that;
    return ratio($pair, $figure, $this, $that) unless $figure eq 'rss';

    my ($with, $without) = map { [$of->($_)] } $this, $that;
    return summary(map { $with->[$_]{rss} - $without->[$_]{rss} }
                   0 .. $#$with);
}


sub spread {
    my ($s) = @_;

    return sprintf('%.2f [%.2f..%.2f]', @$s{qw(median q1 q3)});
}


1;
