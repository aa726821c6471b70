// no names beside those in the sources
