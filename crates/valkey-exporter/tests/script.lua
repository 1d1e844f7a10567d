-- Scripts which cases run; their answers stand in the cases.
return {}
