package CodatTest::Metrics;

# A strict reader of Prometheus' text format, version 0.0.4, as far as the
# module writes it: what a scraper, or a linter, would object to is an error.
#
#     my $page = CodatTest::Metrics->new($text);
#     is_deeply($page->errors, []);
#     is($page->value('codat_rows', kind => 'push'), 3);

use strict;
use warnings;

use Encode ();

my $name = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $label = qr/[a-zA-Z_][a-zA-Z0-9_]*/;
my $value = qr/[-+]?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|Inf)|NaN/i;


sub new {
    my ($class, $text) = @_;

    my $self = bless {
        errors => [], types => {}, help => {}, series => {}, of => {},
    }, $class;

    eval { Encode::decode('UTF-8', my $copy = $text, Encode::FB_CROAK); 1 }
        or $self->_error('not UTF-8');

    $self->_error('no line feed at the end') if $text !~ /\n\z/;

    my %closed;
    for my $line (split(/\n/, $text, -1)) {
        next if $line eq '';

        if ($line =~ /^# HELP ($name) (\S.*)$/) {
            $closed{$self->{current} // ''} = 1;
            $self->{current} = $1;
            $self->_error("two parts: $line") if $closed{$1}
                || exists $self->{help}{$1};
            $self->{help}{$1} = $2;
            $self->_error("help: $line") if $2 =~ /\\(?![\\n])/;

        } elsif ($line =~ /^# TYPE ($name) (counter|gauge|histogram)$/) {
            $self->_error("type: $line") if exists $self->{types}{$1}
                || $1 ne ($self->{current} // '');
            $self->{types}{$1} = $2;
            $self->_name($1, $2);

        } else {
            $self->_sample($line);
        }
    }

    $self->_histogram($_) for grep { $self->{types}{$_} eq 'histogram' }
        sort keys %{$self->{types}};

    return $self;
}


sub errors { $_[0]{errors} }
sub types { $_[0]{types} }
sub help { $_[0]{help} }


# value($name, %labels): of the one series that has these labels and any
# others; undef if there is none, or if there are several

sub value {
    my ($self, $name, %labels) = @_;

    my @found = grep {
        my $has = $_->{labels};
        !grep { ($has->{$_} // '') ne $labels{$_} } keys %labels;
    } @{$self->{of}{$name} // []};

    return @found == 1 ? $found[0]{value} : undef;
}


# series($name): { labels => { ... }, value => N }, in the order of the page

sub series {
    my ($self, $name) = @_;

    return @{$self->{of}{$name} // []};
}


# labels($name): the names of the labels, sorted

sub labels {
    my ($self, $name) = @_;

    my %all = map { %{$_->{labels}} } $self->series($name);

    return sort keys %all;
}


sub _error {
    my ($self, $text) = @_;

    push @{$self->{errors}}, $text;
}


sub _name {
    my ($self, $name, $type) = @_;

    $self->_error("$name: no _total") if $type eq 'counter'
        && $name !~ /_total$/;
    $self->_error("$name: _total") if $type ne 'counter'
        && $name =~ /_total$/;
    $self->_error("$name: reserved") if $name =~ /_(?:count|sum|bucket)$/;
    $self->_error("$name: no base unit")
        if $name =~ /_(?:milliseconds|ms|msec|kilobytes|minutes|hours)\b/;
}


sub _sample {
    my ($self, $line) = @_;

    my ($name, $rest) = $line =~ /^($name)(.*)$/
        or return $self->_error("no sample: $line");

    my %labels;
    if ($rest =~ s/^\{//) {
        while ($rest =~ s/^($label)="((?:[^"\\\n]|\\[\\"n])*)"(,?)//) {
            my ($key, $text, $comma) = ($1, $2, $3);
            $self->_error("label twice: $line") if exists $labels{$key};
            $text =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ge;
            $labels{$key} = $text;
            last if $comma eq '';
        }

        $rest =~ s/^\}// or return $self->_error("labels: $line");
    }

    $rest =~ /^ ($value)$/ or return $self->_error("value: $line");
    my $number = $1;

    my $metric = $self->{current} // '';
    my $type = $self->{types}{$metric} // '';
    my $full = $type eq 'histogram' ? qr/^\Q$metric\E_(?:bucket|sum|count)$/
                                    : qr/^\Q$metric\E$/;
    $self->_error("strange here: $line") if $name !~ $full || $type eq '';
    $self->_error("negative: $line") if $type ne 'gauge' && $number < 0;

    my $series = join("\0", $name, map { ($_, $labels{$_}) }
                      sort keys %labels);
    $self->_error("twice: $line") if $self->{series}{$series}++;

    push @{$self->{of}{$name}}, { labels => \%labels, value => $number };
}


sub _histogram {
    my ($self, $name) = @_;

    my %buckets;
    for my $sample ($self->series("${name}_bucket")) {
        my %labels = %{$sample->{labels}};
        my $le = delete $labels{le} // return $self->_error("$name: no le");
        my $key = join("\0", map { ($_, $labels{$_}) } sort keys %labels);
        push @{$buckets{$key}}, [$le, $sample->{value}, \%labels];
    }

    for my $key (sort keys %buckets) {
        my @buckets = @{$buckets{$key}};
        my %labels = %{$buckets[0][2]};

        for my $n (1 .. $#buckets) {
            $self->_error("$name: order of le")
                if $buckets[$n][0] <= $buckets[$n - 1][0];
            $self->_error("$name: not cumulative")
                if $buckets[$n][1] < $buckets[$n - 1][1];
        }

        $self->_error("$name: no +Inf") if $buckets[-1][0] ne '+Inf';
        $self->_error("$name: count") if $buckets[-1][1]
            != ($self->value("${name}_count", %labels) // -1);
        $self->_error("$name: sum")
            if !defined $self->value("${name}_sum", %labels);
    }
}


1;
